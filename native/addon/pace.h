#pragma once

#include <chrono>

namespace miheap {

// Keeps something that takes long to a part of the time, however often it is asked for.
class Pace {
  using Clock = std::chrono::steady_clock;

public:
  // One run, from here to the end of the scope. It is not due again for so many times as long.
  class Run {
  public:
    Run(Pace& pace, int rest) : pace_(pace), rest_(rest) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
      const Clock::time_point now = Clock::now();
      pace_.next_ = now + rest_ * (now - started_);
    }

  private:
    Pace& pace_;
    const int rest_;
    const Clock::time_point started_ = Clock::now();
  };

  bool IsDue() const { return Clock::now() >= next_; }
  void Reset() { next_ = Clock::time_point(); }

private:
  Clock::time_point next_;
};

} // namespace miheap
