# SPDX-License-Identifier: Apache-2.0
include(CheckCXXSourceCompiles)

# Sets `out` to the flags with which the compiler uses all of this machine's vector instructions. -march=native alone
# is not enough: a compiler older than the processor takes it for a lesser one (clang 14 gives AVX2 code on Zen 5).
function(weft_native_flags out)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_FLAGS -march=native)
  check_cxx_source_compiles("int main() {}" WEFT_ACCEPTS_MARCH_NATIVE)
  set(flags "")
  if(WEFT_ACCEPTS_MARCH_NATIVE)
    set(flags -march=native)
  endif()

  set(processor "")
  if(EXISTS /proc/cpuinfo)
    file(STRINGS /proc/cpuinfo processor REGEX "^flags" LIMIT_COUNT 1)
  endif()
  # Best first: what the processor must list, the macro that shows its use, the name to ask for instead.
  foreach(level IN ITEMS
      "avx512_vbmi2.*gfni.*vaes.*avx512_vnni|__AVX512VBMI2__|icelake-server"
      "avx512f.*avx512dq.*avx512bw.*avx512vl|__AVX512VL__|skylake-avx512"
      "fma.*avx2.*bmi2|__AVX2__|haswell")
    string(REPLACE "|" ";" level "${level}")
    list(GET level 0 features)
    list(GET level 1 macro)
    list(GET level 2 name)
    if(processor MATCHES "${features}")
      check_cxx_source_compiles("int main() { return sizeof(${macro}); }" WEFT_NATIVE_HAS${macro})
      if(NOT WEFT_NATIVE_HAS${macro})
        set(CMAKE_REQUIRED_FLAGS -march=${name})
        check_cxx_source_compiles("int main() {}" WEFT_ACCEPTS_MARCH_${name})
        if(WEFT_ACCEPTS_MARCH_${name})
          set(flags -march=${name})
        endif()
      endif()
      break()
    endif()
  endforeach()
  set(${out} "${flags}" PARENT_SCOPE)
endfunction()
