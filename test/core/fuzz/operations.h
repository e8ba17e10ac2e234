/* What libFuzzer calls with each input; also called by replay.c. */
#ifndef MI_TEST_OPERATIONS_H
#define MI_TEST_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif
