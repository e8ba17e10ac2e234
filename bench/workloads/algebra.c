/* Factors products of two primes by Pollard's rho. Big integers are immutable blocks: every sum,
   product and remainder is a new block, freed after its next use. One thread; about ten live
   blocks, all tiny. SIZE: numbers to factor. */
#include "workload.h"

typedef struct {
  unsigned count; /* limbs in use; the top one is not 0 */
  uint32_t limbs[];
} integer_t;

static integer_t* integer(unsigned count) {
  integer_t* made = must(malloc(sizeof(integer_t) + count * sizeof(uint32_t)));
  made->count = count;
  return made;
}

static integer_t* trimmed(integer_t* a) {
  while (a->count > 0 && a->limbs[a->count - 1] == 0) a->count--;
  return a;
}

static integer_t* from_word(uint64_t value) {
  integer_t* made = integer(2);
  made->limbs[0] = (uint32_t)value;
  made->limbs[1] = (uint32_t)(value >> 32);
  return trimmed(made);
}

static integer_t* copy(const integer_t* a) {
  integer_t* made = integer(a->count);
  memcpy(made->limbs, a->limbs, a->count * sizeof(uint32_t));
  return made;
}

static int compare(const integer_t* a, const integer_t* b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (unsigned i = a->count; i-- > 0;) {
    if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
  }
  return 0;
}

static integer_t* sum(const integer_t* a, const integer_t* b) {
  unsigned count = (a->count > b->count ? a->count : b->count) + 1;
  integer_t* made = integer(count);
  uint64_t carry = 0;
  for (unsigned i = 0; i < count; i++) {
    carry += (uint64_t)(i < a->count ? a->limbs[i] : 0) + (i < b->count ? b->limbs[i] : 0);
    made->limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  return trimmed(made);
}

/* The larger minus the smaller. */
static integer_t* difference(const integer_t* a, const integer_t* b) {
  if (compare(a, b) < 0) return difference(b, a);
  integer_t* made = integer(a->count);
  int64_t borrow = 0;
  for (unsigned i = 0; i < a->count; i++) {
    borrow += (int64_t)a->limbs[i] - (i < b->count ? b->limbs[i] : 0);
    made->limbs[i] = (uint32_t)borrow;
    borrow >>= 32;
  }
  return trimmed(made);
}

static integer_t* product(const integer_t* a, const integer_t* b) {
  integer_t* made = integer(a->count + b->count);
  memset(made->limbs, 0, made->count * sizeof(uint32_t));
  for (unsigned i = 0; i < a->count; i++) {
    uint64_t carry = 0;
    for (unsigned j = 0; j < b->count; j++) {
      carry += (uint64_t)a->limbs[i] * b->limbs[j] + made->limbs[i + j];
      made->limbs[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    made->limbs[i + b->count] = (uint32_t)carry;
  }
  return trimmed(made);
}

/* a modulo b: schoolbook division in limbs of 32 bits, with both shifted until the divisor's top
   bit is set. */
static integer_t* remainder_of(const integer_t* a, const integer_t* b) {
  if (compare(a, b) < 0) return copy(a);
  unsigned n = b->count, m = a->count, shift = (unsigned)__builtin_clz(b->limbs[n - 1]);
  integer_t *rest = integer(m + 1), *divisor = integer(n);
  uint64_t carry = 0;
  for (unsigned i = 0; i < n; i++) {
    carry |= (uint64_t)b->limbs[i] << shift;
    divisor->limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  carry = 0;
  for (unsigned i = 0; i < m; i++) {
    carry |= (uint64_t)a->limbs[i] << shift;
    rest->limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  rest->limbs[m] = (uint32_t)carry;
  uint64_t top = divisor->limbs[n - 1], next = n > 1 ? divisor->limbs[n - 2] : 0;
  for (unsigned j = m - n + 1; j-- > 0;) {
    uint64_t head = (uint64_t)rest->limbs[j + n] << 32 | rest->limbs[j + n - 1];
    uint64_t digit = head / top, left = head % top;
    uint64_t below = n > 1 ? rest->limbs[j + n - 2] : 0;
    while (digit >> 32 != 0 || digit * next > (left << 32 | below)) {
      digit--;
      left += top;
      if (left >> 32 != 0) break;
    }
    int64_t borrow = 0;
    uint64_t up = 0;
    for (unsigned i = 0; i < n; i++) {
      up += digit * divisor->limbs[i];
      borrow += (int64_t)rest->limbs[i + j] - (int64_t)(uint32_t)up;
      rest->limbs[i + j] = (uint32_t)borrow;
      borrow >>= 32;
      up >>= 32;
    }
    borrow += (int64_t)rest->limbs[j + n] - (int64_t)up;
    rest->limbs[j + n] = (uint32_t)borrow;
    if (borrow < 0) { /* the digit was one too large: add the divisor back */
      carry = 0;
      for (unsigned i = 0; i < n; i++) {
        carry += (uint64_t)rest->limbs[i + j] + divisor->limbs[i];
        rest->limbs[i + j] = (uint32_t)carry;
        carry >>= 32;
      }
      rest->limbs[j + n] += (uint32_t)carry;
    }
  }
  integer_t* result = integer(n);
  for (unsigned i = 0; i < n; i++) {
    uint64_t pair = (uint64_t)rest->limbs[i + 1] << 32 | rest->limbs[i];
    result->limbs[i] = (uint32_t)(pair >> shift);
  }
  free(rest);
  free(divisor);
  return trimmed(result);
}

static integer_t* multiplied(const integer_t* a, const integer_t* b, const integer_t* modulus) {
  integer_t* whole = product(a, b);
  integer_t* result = remainder_of(whole, modulus);
  free(whole);
  return result;
}

static integer_t* common_divisor(const integer_t* a, const integer_t* b) {
  integer_t *x = copy(a), *y = copy(b);
  while (y->count > 0) {
    integer_t* rest = remainder_of(x, y);
    free(x);
    x = y;
    y = rest;
  }
  free(y);
  return x;
}

/* x * x + c modulo n. Frees x. */
static integer_t* step(integer_t* x, const integer_t* c, const integer_t* n) {
  integer_t* square = product(x, x);
  integer_t* shifted = sum(square, c);
  integer_t* result = remainder_of(shifted, n);
  free(x);
  free(square);
  free(shifted);
  return result;
}

/* A divisor of n that is neither 1 nor n. */
static integer_t* factor(const integer_t* n) {
  for (unsigned constant = 1;; constant++) {
    integer_t *c = from_word(constant), *slow = from_word(2), *fast = from_word(2);
    integer_t *found = from_word(1), *one = from_word(1);
    while (compare(found, one) == 0) {
      integer_t* gathered = from_word(1);
      for (unsigned i = 0; i < 64; i++) {
        slow = step(slow, c, n);
        fast = step(step(fast, c, n), c, n);
        integer_t* distance = difference(slow, fast);
        integer_t* next = multiplied(gathered, distance, n);
        free(distance);
        if (next->count == 0) {
          free(next);
          break;
        }
        free(gathered);
        gathered = next;
      }
      free(found);
      found = common_divisor(n, gathered);
      free(gathered);
      if (compare(slow, fast) == 0) break;
    }
    int useful = compare(found, one) != 0 && compare(found, n) != 0;
    free(c);
    free(slow);
    free(fast);
    free(one);
    if (useful) return found;
    free(found);
  }
}

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus) {
  unsigned __int128 result = 1, square = base % modulus;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result * square % modulus;
    square = square * square % modulus;
  }
  return (uint64_t)result;
}

/* The test of Miller and Rabin, with bases that decide every number of 64 bits. */
static int is_prime(uint64_t n) {
  static const unsigned bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  unsigned twos = (unsigned)__builtin_ctzll(n - 1);
  for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
    uint64_t x = power(bases[i], (n - 1) >> twos, n);
    unsigned squared = 0;
    if (x == 1 || x == n - 1) continue;
    while (++squared < twos && x != n - 1) x = power(x, 2, n);
    if (x != n - 1) return 0;
  }
  return 1;
}

static uint64_t random_prime(random_t* random, unsigned bits) {
  uint64_t candidate = (random_next(random) >> (64 - bits)) | 1u | (uint64_t)1 << (bits - 1);
  while (!is_prime(candidate)) candidate += 2;
  return candidate;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 300, 1);
  random_t random = {1};
  uint64_t checksum = 0;
  for (size_t i = 0; i < given.size; i++) {
    integer_t* small = from_word(random_prime(&random, 25));
    integer_t* large = from_word(random_prime(&random, 60));
    integer_t* n = product(small, large);
    integer_t* found = factor(n);
    if (compare(found, small) != 0 && compare(found, large) != 0) fail("not a factor");
    checksum = mix(checksum ^ found->limbs[0]);
    free(small);
    free(large);
    free(n);
    free(found);
  }
  return finish(checksum);
}
