# SPDX-License-Identifier: Apache-2.0
# What weft needs and what its parts are. Used by the build and, installed, by find_package(weft).

set(WEFT_COMPONENTS io tokenizers thrust cuda)

# xsimd is required; OpenMP gives threads where the compiler has it. Targets that the program made itself
# (FetchContent, for instance) are taken as they are.
macro(weft_find_dependencies)
  if(NOT TARGET xsimd)
    find_package(xsimd REQUIRED)
    if(xsimd_VERSION VERSION_LESS 8.1)
      message(FATAL_ERROR "weft needs xsimd 8.1 or newer; found ${xsimd_VERSION} in ${xsimd_DIR}")
    endif()
  endif()
  # Debian's package links a library "xtl" that xsimd neither uses nor brings along.
  get_target_property(xsimd_libraries xsimd INTERFACE_LINK_LIBRARIES)
  if(xsimd_libraries STREQUAL "xtl" AND NOT TARGET xtl)
    set_target_properties(xsimd PROPERTIES INTERFACE_LINK_LIBRARIES "")
  endif()
  if(NOT TARGET OpenMP::OpenMP_CXX)
    find_package(OpenMP QUIET COMPONENTS CXX)
  endif()
endmacro()

# Makes the target weft::<name> and sets weft_<name>_FOUND, if what the part needs is there.
macro(weft_find_component name)
  cmake_language(CALL weft_find_${name})
  if(weft_${name}_FOUND AND NOT TARGET weft::${name})
    add_library(weft::${name} INTERFACE IMPORTED GLOBAL)
    target_link_libraries(weft::${name} INTERFACE weft::weft ${weft_${name}_libraries})
    target_include_directories(weft::${name} SYSTEM INTERFACE ${weft_${name}_includes})
    target_compile_definitions(weft::${name} INTERFACE ${weft_${name}_definitions})
  endif()
endmacro()

# io: files of checkpoints and configurations. RapidJSON's own package names no target.
macro(weft_find_io)
  find_path(WEFT_RAPIDJSON_INCLUDE_DIR rapidjson/reader.h DOC "Folder that holds rapidjson/reader.h")
  mark_as_advanced(WEFT_RAPIDJSON_INCLUDE_DIR)
  set(weft_io_includes "${WEFT_RAPIDJSON_INCLUDE_DIR}")
  set(weft_io_FOUND FALSE)
  if(WEFT_RAPIDJSON_INCLUDE_DIR)
    set(weft_io_FOUND TRUE)
  endif()
endmacro()

# tokenizers: tokenizer.json, which is JSON, has regular expressions and names Unicode's normal forms.
macro(weft_find_tokenizers)
  weft_find_component(io)
  find_path(WEFT_PCRE2_INCLUDE_DIR pcre2.h DOC "Folder that holds pcre2.h")
  find_library(WEFT_PCRE2_LIBRARY pcre2-8 DOC "PCRE2 for characters of 8 bits")
  find_path(WEFT_UTF8PROC_INCLUDE_DIR utf8proc.h DOC "Folder that holds utf8proc.h")
  find_library(WEFT_UTF8PROC_LIBRARY utf8proc DOC "utf8proc")
  mark_as_advanced(WEFT_PCRE2_INCLUDE_DIR WEFT_PCRE2_LIBRARY WEFT_UTF8PROC_INCLUDE_DIR WEFT_UTF8PROC_LIBRARY)
  set(weft_tokenizers_libraries weft::io "${WEFT_PCRE2_LIBRARY}" "${WEFT_UTF8PROC_LIBRARY}")
  set(weft_tokenizers_includes "${WEFT_PCRE2_INCLUDE_DIR}" "${WEFT_UTF8PROC_INCLUDE_DIR}")
  set(weft_tokenizers_FOUND FALSE)
  if(weft_io_FOUND AND WEFT_PCRE2_INCLUDE_DIR AND WEFT_PCRE2_LIBRARY AND WEFT_UTF8PROC_INCLUDE_DIR
     AND WEFT_UTF8PROC_LIBRARY)
    set(weft_tokenizers_FOUND TRUE)
  endif()
endmacro()

# thrust: the device kernels through a plain C++ compiler, on Thrust's OpenMP system.
macro(weft_find_thrust)
  find_path(WEFT_THRUST_INCLUDE_DIR thrust/version.h
    DOC "Folder with Thrust's headers: Debian's libthrust-dev, or include/cccl of the CUDA Toolkit")
  find_path(WEFT_THRUST_INCLUDE_DIR thrust/version.h
    PATHS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES include/cccl)
  mark_as_advanced(WEFT_THRUST_INCLUDE_DIR)
  set(weft_thrust_libraries OpenMP::OpenMP_CXX)
  set(weft_thrust_includes "${WEFT_THRUST_INCLUDE_DIR}")
  set(weft_thrust_definitions THRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_OMP)
  set(weft_thrust_FOUND FALSE)
  if(WEFT_THRUST_INCLUDE_DIR AND TARGET OpenMP::OpenMP_CXX)
    set(weft_thrust_FOUND TRUE)
  endif()
endmacro()

# cuda: the same kernels through nvcc, with the toolkit's libraries.
macro(weft_find_cuda)
  find_package(CUDAToolkit 12 QUIET)
  set(weft_cuda_libraries CUDA::cudart CUDA::cublas)
  set(weft_cuda_FOUND FALSE)
  if(TARGET CUDA::cudart AND TARGET CUDA::cublas)
    set(weft_cuda_FOUND TRUE)
  endif()
endmacro()
