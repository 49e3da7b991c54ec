// SPDX-License-Identifier: Apache-2.0
/// \file
/// One matrix product, op(A) op(B), as weft and the libraries measured beside it compute it. All read and write plain
/// row-major matrices, so that each pays for its own packing.
#pragma once

#include "weft/ops/matmul/matmul_kernel.hpp"

// A second OpenMP run-time system would have waiting threads of its own in the way: these two come with g++'s.
#if defined(__clang__)
#undef WEFT_BENCH_DNNL
#undef WEFT_BENCH_OPENBLAS
#endif
#ifdef WEFT_BENCH_EIGEN
#include <Eigen/Core>
#endif
#ifdef WEFT_BENCH_OPENBLAS
#include <cblas.h>
#endif
#ifdef WEFT_BENCH_DNNL
#include <dnnl.h>
#include <dnnl.hpp>
#endif

namespace bench {

/// C[m,n] = op(A)[m,k] op(B)[k,n]
struct Product {
  weft::kernels::Transpose ta;
  weft::kernels::Transpose tb;
  weft::Index m;
  weft::Index n;
  weft::Index k;

  bool a_transposed() const { return ta == weft::kernels::Transpose::yes; }
  bool b_transposed() const { return tb == weft::kernels::Transpose::yes; }
  weft::Index lda() const { return a_transposed() ? m : k; }
  weft::Index ldb() const { return b_transposed() ? k : n; }
  double flops() const { return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }
};

class Weft {
 public:
  static constexpr const char* name = "weft";
  explicit Weft(const Product& product) : p_(product) {}

  template <class Stored>
  void operator()(const float* a, const Stored* b, float* c) {
    weft::kernels::matmul(p_.ta, p_.tb, p_.m, p_.n, p_.k, a, p_.lda(), b, p_.ldb(), c, p_.n);
  }

 private:
  Product p_;
};

#ifdef WEFT_BENCH_EIGEN
class EigenPeer {
 public:
  static constexpr const char* name = "Eigen";
  explicit EigenPeer(const Product& product) : p_(product) {}

  void operator()(const float* a, const float* b, float* c) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using In = Eigen::Map<const Matrix>;
    Eigen::Map<Matrix> out(c, p_.m, p_.n);
    const In right(b, p_.b_transposed() ? p_.n : p_.k, p_.ldb());
    if (p_.m == 1) {  // as a vector, which Eigen has a way of its own for
      const Eigen::Map<const Eigen::RowVectorXf> row(a, p_.k);
      Eigen::Map<Eigen::RowVectorXf> result(c, p_.n);
      if (p_.b_transposed()) {
        result.noalias() = row * right.transpose();
      } else {
        result.noalias() = row * right;
      }
    } else if (p_.a_transposed()) {
      out.noalias() = In(a, p_.k, p_.m).transpose() * right;
    } else if (p_.b_transposed()) {
      out.noalias() = In(a, p_.m, p_.k) * right.transpose();
    } else {
      out.noalias() = In(a, p_.m, p_.k) * right;
    }
  }

 private:
  Product p_;
};
#endif

#ifdef WEFT_BENCH_OPENBLAS
class OpenBlasPeer {
 public:
  static constexpr const char* name = "OpenBLAS";
  explicit OpenBlasPeer(const Product& product) : p_(product) {}

  void operator()(const float* a, const float* b, float* c) {
    const auto size = [](weft::Index extent) { return static_cast<int>(extent); };
    if (p_.m == 1) {
      cblas_sgemv(CblasRowMajor, p_.b_transposed() ? CblasNoTrans : CblasTrans, size(p_.b_transposed() ? p_.n : p_.k),
                  size(p_.ldb()), 1.0F, b, size(p_.ldb()), a, 1, 0.0F, c, 1);
      return;
    }
    cblas_sgemm(CblasRowMajor, p_.a_transposed() ? CblasTrans : CblasNoTrans,
                p_.b_transposed() ? CblasTrans : CblasNoTrans, size(p_.m), size(p_.n), size(p_.k), 1.0F, a,
                size(p_.lda()), b, size(p_.ldb()), 0.0F, c, size(p_.n));
  }

 private:
  Product p_;
};
#endif

#ifdef WEFT_BENCH_DNNL
/// oneDNN's primitive for products.
class OneDnnMatmulPeer {
 public:
  static constexpr const char* name = "oneDNN_matmul";
  explicit OneDnnMatmulPeer(const Product& product)
      : a_(memory(product.m, product.k, product.a_transposed())),
        b_(memory(product.k, product.n, product.b_transposed())),
        c_(memory(product.m, product.n, false)),
        product_({{a_.get_desc(), b_.get_desc(), c_.get_desc()}, engine()}) {}

  void operator()(const float* a, const float* b, float* c) {
    a_.set_data_handle(const_cast<float*>(a));
    b_.set_data_handle(const_cast<float*>(b));
    c_.set_data_handle(c);
    product_.execute(stream_, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}});
    stream_.wait();
  }

 private:
  static dnnl::engine& engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
  }
  static dnnl::memory memory(weft::Index rows, weft::Index columns, bool transposed) {
    using Tag = dnnl::memory::format_tag;
    return {{{rows, columns}, dnnl::memory::data_type::f32, transposed ? Tag::ba : Tag::ab}, engine(), nullptr};
  }

  dnnl::memory a_;
  dnnl::memory b_;
  dnnl::memory c_;
  dnnl::matmul product_;
  dnnl::stream stream_{engine()};
};

/// oneDNN's function for products, a kernel of its own: from 64 rows on often the faster of the two.
class OneDnnSgemmPeer {
 public:
  static constexpr const char* name = "oneDNN_sgemm";
  explicit OneDnnSgemmPeer(const Product& product) : p_(product) {}

  void operator()(const float* a, const float* b, float* c) {
    dnnl_sgemm(p_.a_transposed() ? 'T' : 'N', p_.b_transposed() ? 'T' : 'N', p_.m, p_.n, p_.k, 1.0F, a, p_.lda(), b,
               p_.ldb(), 0.0F, c, p_.n);
  }

 private:
  Product p_;
};
#endif

}  // namespace bench
