#pragma once

#include <chrono>

namespace miheap {

// Limits the share of the time that a slow action takes, however often it is asked for.
class Pace {
  using Clock = std::chrono::steady_clock;

public:
  // One run of the action, while this lives. The action is not due again for `rest` times as long.
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
