#pragma once

#include <chrono>

namespace miheap {

// Limits what a slow action takes to a tenth of the time, however often it is asked for.
class Pace {
  using Clock = std::chrono::steady_clock;

public:
  // One run of the action, while this lives. The action is not due again for nine times as long.
  class Run {
  public:
    explicit Run(Pace& pace) : pace_(pace) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
      const Clock::time_point now = Clock::now();
      pace_.next_ = now + 9 * (now - started_);
    }

  private:
    Pace& pace_;
    const Clock::time_point started_ = Clock::now();
  };

  bool IsDue() const { return Clock::now() >= next_; }
  void Reset() { next_ = Clock::time_point(); }

private:
  Clock::time_point next_;
};

} // namespace miheap
