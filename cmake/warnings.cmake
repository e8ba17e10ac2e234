# Warnings and code-generation flags of everything compiled here, as one interface target.
add_library(miheap_flags INTERFACE)
target_compile_options(
  miheap_flags
  INTERFACE -Wall
            -Wextra
            -Wundef
            -Wshadow
            -Wpointer-arith
            -Wvla
            $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
            $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
            $<$<BOOL:${MI_WERROR}>:-Werror>)
if(MI_SANITIZE)
  target_compile_options(miheap_flags INTERFACE -fsanitize=${MI_SANITIZE} -fno-omit-frame-pointer -g
                                                -fno-sanitize-recover=all)
  target_link_options(miheap_flags INTERFACE -fsanitize=${MI_SANITIZE})
endif()
if(MI_FUZZ)
  target_compile_options(miheap_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
