# The one core, built three ways: into libmiheap.so with overrides, into libmiheap.a (and miheap.o) with
# overrides, and into miheap_embedded without them, for the addon.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(MI_OS_SOURCES native/core/os/linux_memory.c native/core/os/linux_system.c native/core/os/linux_thread.c
                    native/core/os/linux_library.c native/core/os/linux_process.c native/core/os/linux_clock.c
                    native/core/os/linux_elf.c native/core/os/linux_helper.c native/core/os/linux_alone.c)
else()
  message(FATAL_ERROR "miheap has no platform layer for ${CMAKE_SYSTEM_NAME} yet: see native/core/os/port.h")
endif()

# Linked in this order: first what every process runs, then what many do, last what few do (cmake/layout.ld).
set(MI_CORE_SOURCES
    native/core/api/malloc.c
    native/core/api/free.c
    native/core/heap/generic.c
    native/core/heap/find.c
    native/core/heap/queue.c
    native/core/heap/retire.c
    native/core/heap/single.c
    native/core/heap/delayed.c
    native/core/heap/thread.c
    native/core/heap/collect.c
    native/core/heap/purge.c
    native/core/heap/process.c
    native/core/page/page.c
    native/core/page/collect.c
    native/core/segment/segment.c
    native/core/segment/segment_queue.c
    native/core/segment/cookie.c
    native/core/segment/chunk.c
    native/core/segment/slot.c
    native/core/segment/units.c
    native/core/segment/directory.c
    native/core/segment/pin.c
    native/core/segment/purge.c
    native/core/segment/purger.c
    native/core/segment/memory.c
    native/core/segment/page_map.c
    ${MI_OS_SOURCES}
    native/core/os/os.c
    native/core/options/options.c
    native/core/stats/stats.c
    native/core/api/realloc.c
    native/core/heap/heap.c
    native/core/heap/heaps.c
    native/core/heap/reclaim.c
    native/core/heap/communal.c
    native/core/heap/communal_room.c
    native/core/api/aligned.c
    native/core/api/new.c
    native/core/api/posix.c
    native/core/page/holes.c
    native/core/page/scavenge.c
    native/core/segment/pace.c
    native/core/segment/large_pages.c
    native/core/segment/map.c
    native/core/segment/page_key.c
    native/core/options/environment.c
    native/core/segment/run.c
    native/core/segment/huge.c
    native/core/segment/clear.c
    native/core/segment/huge_cache.c
    native/core/segment/mapping.c
    native/core/segment/abandoned.c
    native/core/segment/abandoned_visit.c
    native/core/segment/orphan.c
    native/core/segment/owner_lock.c
    native/core/os/fence.c
    native/core/segment/other_threads.c
    native/core/heap/fork.c
    native/core/segment/subproc.c
    native/core/segment/reserve.c
    native/core/api/block_size.c
    native/core/options/report.c
    native/core/stats/print.c
    native/core/stats/json.c
    native/core/segment/arena.c
    native/core/page/check.c
    native/core/page/orphan.c
    native/core/heap/magazine.c
    native/core/heap/magazine_depth.c
    native/core/heap/magazine_fence.c
    native/core/heap/magazine_sweep.c
    native/core/heap/unload.c
    native/core/heap/check.c
    native/core/heap/visit.c
    native/core/api/rezalloc.c
    native/core/api/string.c
    native/core/api/new_nothrow.cc
    native/core/api/heap.c
    native/core/api/visit.c
    native/core/api/subproc.c
    native/core/api/arena.c
    native/core/api/process.c
    native/core/api/stats.c)
list(TRANSFORM MI_CORE_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
set(MI_OVERRIDE_SOURCES native/override/malloc.c native/override/new.cc native/override/preload.c)
include(CheckCSourceCompiles)
# A block that is fetched ahead is fetched to be written. Processors of x86-64 that lack the instruction do nothing
# there, but for the first ones of 2004. Compilers for others may take the flag, and complain of it later.
set(CMAKE_REQUIRED_FLAGS -mprfchw)
check_c_source_compiles("#ifndef __PRFCHW__\n#error\n#endif\nint main(void) { return 0; }" MI_HAS_PREFETCHW)
unset(CMAKE_REQUIRED_FLAGS)
include(CheckSymbolExists)
check_symbol_exists(__GLIBC__ features.h MI_HAS_GLIBC)
if(MI_HAS_GLIBC)
  list(APPEND MI_OVERRIDE_SOURCES native/override/glibc.c)
endif()
list(TRANSFORM MI_OVERRIDE_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
# From 2.34 on, dlopen is in the library that malloc is in, and so is always found.
check_c_source_compiles("#include <features.h>\n#if !__GLIBC_PREREQ(2, 34)\n#error\n#endif\nint main(void) { return 0; }"
                        MI_HAS_DLOPEN_IN_LIBC)
set(MI_SHARED_SOURCES)
if(MI_HAS_DLOPEN_IN_LIBC)
  set(MI_SHARED_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/native/override/glibc_deepbind.c)
  set_source_files_properties(${MI_SHARED_SOURCES} PROPERTIES COMPILE_OPTIONS "-O2;-foptimize-sibling-calls")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# What every build of the core has in common. Callers add a TLS model. DEBUG, HARDENED and GUARDED, each
# followed by a value, stand in for the options MI_DEBUG, MI_HARDENED and MI_GUARDED. TRACK is followed by the
# tool that is told of every block: valgrind (if MI_VALGRIND is set), address (if MI_SANITIZE has it), or none.
function(mi_configure_core target)
  cmake_parse_arguments(core "" "DEBUG;HARDENED;GUARDED;TRACK" "" ${ARGN})
  if(NOT DEFINED core_DEBUG)
    set(core_DEBUG $<IF:$<STREQUAL:${MI_DEBUG},>,$<IF:$<CONFIG:Debug>,1,0>,${MI_DEBUG}>)
  endif()
  if(NOT DEFINED core_HARDENED)
    set(core_HARDENED $<BOOL:${MI_HARDENED}>)
  endif()
  if(NOT DEFINED core_GUARDED)
    set(core_GUARDED 0)
    if(MI_GUARDED)
      set(core_GUARDED 1)
    endif()
  endif()
  if(NOT DEFINED core_TRACK)
    if(MI_VALGRIND)
      set(core_TRACK valgrind)
    elseif(MI_SANITIZE MATCHES address)
      set(core_TRACK address)
    else()
      set(core_TRACK none)
    endif()
  endif()
  if(core_GUARDED)
    foreach(source segment/guard.c heap/sample.c api/guarded.c)
      target_sources(${target} PRIVATE ${miheap_SOURCE_DIR}/native/core/${source})
    endforeach()
  endif()
  if(NOT core_TRACK STREQUAL none)
    target_sources(${target} PRIVATE ${miheap_SOURCE_DIR}/native/core/segment/track.c
                                     ${miheap_SOURCE_DIR}/native/core/api/track.c)
    target_compile_definitions(${target} PRIVATE MI_VALGRIND=$<STREQUAL:${core_TRACK},valgrind>
                                                 MI_ASAN=$<STREQUAL:${core_TRACK},address>)
  endif()
  target_include_directories(
    ${target}
    PUBLIC $<BUILD_INTERFACE:${miheap_SOURCE_DIR}/native/include> $<INSTALL_INTERFACE:include>
    PRIVATE ${miheap_SOURCE_DIR}/native/core)
  target_compile_definitions(${target} PRIVATE MI_DEBUG=${core_DEBUG} MI_HARDENED=${core_HARDENED}
                                               MI_GUARDED=${core_GUARDED} _GNU_SOURCE)
  target_compile_options(
    ${target}
    PRIVATE -fvisibility=hidden
            -fno-strict-aliasing
            $<$<CONFIG:Release>:-O3>
            $<$<BOOL:${MI_HAS_PREFETCHW}>:-mprfchw>
            $<$<COMPILE_LANGUAGE:C>:-fno-builtin-malloc>
            -fexceptions # std::bad_alloc passes through mi_new
            $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:miheap_flags> PUBLIC Threads::Threads)
endfunction()

# Has what a small program touches lie together, where the linker can do that.
function(mi_lay_out target)
  set(script ${miheap_SOURCE_DIR}/cmake/layout.ld)
  set(flags -Wl,-z,noseparate-code -Wl,--hash-style=gnu -Wl,-T,${script})
  separate_arguments(given NATIVE_COMMAND "${CMAKE_SHARED_LINKER_FLAGS}")
  set(CMAKE_REQUIRED_LINK_OPTIONS -shared ${given} ${flags})
  set(CMAKE_REQUIRED_FLAGS -fPIC)
  check_c_source_compiles("int f(void); int f(void) { return 0; }" MI_LINKER_LAYS_OUT)
  if(MI_LINKER_LAYS_OUT)
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
    target_link_options(${target} PRIVATE ${flags})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${script})
  endif()
endfunction()

# Calls of these go through one pointer, not through a stub and a pointer.
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/native/override/new.cc PROPERTIES COMPILE_OPTIONS -fno-plt)
set(MI_REPLACEABLE ${CMAKE_CURRENT_SOURCE_DIR}/cmake/replaceable.list)

add_library(miheap SHARED ${MI_OVERRIDE_SOURCES} ${MI_CORE_SOURCES} ${MI_SHARED_SOURCES})
mi_configure_core(miheap)
target_compile_definitions(miheap PRIVATE MI_OVERRIDE=1 MI_NEVER_UNLOADED=1)
target_compile_options(miheap PRIVATE -ftls-model=initial-exec)
# A thread that outlives dlclose still runs our exit handler.
# Calls inside of the library go straight to their target, but those of operators that a program may replace.
# clang would have every process load the C++ library, which nothing here needs.
target_link_options(miheap PRIVATE -Wl,-z,nodelete -Wl,-Bsymbolic-functions -Wl,--as-needed
                                   -Wl,--dynamic-list=${MI_REPLACEABLE})
set_property(TARGET miheap APPEND PROPERTY LINK_DEPENDS ${MI_REPLACEABLE})
# Not in hardened builds: constants lie in the same segment as code then, and may be executed.
if(NOT MI_HARDENED)
  mi_lay_out(miheap)
endif()
# The library calls nothing of libstdc++: its operators are plain functions.
set_target_properties(
  miheap
  PROPERTIES VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR}
             LINKER_LANGUAGE C
             LIBRARY_OUTPUT_DIRECTORY $<IF:$<BOOL:${CMAKE_JS_VERSION}>,${CMAKE_BINARY_DIR}/Release,${CMAKE_BINARY_DIR}>)

# local-dynamic also works in a library that is opened with dlopen, and the linker relaxes it to
# local-exec in an executable.
add_library(miheap_static STATIC ${MI_OVERRIDE_SOURCES} ${MI_CORE_SOURCES})
mi_configure_core(miheap_static)
target_compile_definitions(miheap_static PRIVATE MI_OVERRIDE=1)
target_compile_options(miheap_static PRIVATE -ftls-model=local-dynamic)
# A program that names nothing of miheap gets its malloc too.
target_link_options(miheap_static INTERFACE -Wl,-u,malloc)
set_target_properties(miheap_static PROPERTIES OUTPUT_NAME miheap LINKER_LANGUAGE C)

add_library(miheap_embedded STATIC ${MI_CORE_SOURCES})
mi_configure_core(miheap_embedded)
target_compile_definitions(miheap_embedded PUBLIC MI_EMBEDDED=1)
target_compile_options(miheap_embedded PRIVATE -ftls-model=local-dynamic)

# LLVM's linker, which CMake prefers beside clang, knows --force-group-allocation only since version 19. GNU's, which
# stands in for it, must be for the same processor.
set(MI_OBJECT_LINKER ${CMAKE_LINKER})
if(CMAKE_LINKER MATCHES "lld" AND NOT CMAKE_CROSSCOMPILING)
  find_program(MI_GNU_LINKER ld.bfd)
  if(MI_GNU_LINKER)
    set(MI_OBJECT_LINKER ${MI_GNU_LINKER})
  endif()
endif()

# One relocatable object, for a link line on which the allocator must come first. Its internals are local to it,
# as those of the shared library are.
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/miheap.o
  COMMAND ${MI_OBJECT_LINKER} -r --force-group-allocation -o ${CMAKE_BINARY_DIR}/miheap.o
          --whole-archive $<TARGET_FILE:miheap_static>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${CMAKE_BINARY_DIR}/miheap.o
  DEPENDS miheap_static
  VERBATIM)
if(CMAKE_JS_VERSION)
  add_custom_target(miheap_object DEPENDS ${CMAKE_BINARY_DIR}/miheap.o)
else()
  add_custom_target(miheap_object ALL DEPENDS ${CMAKE_BINARY_DIR}/miheap.o)
endif()
