#include "host/base/rfc3339.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace iq {
namespace {

using std::chrono::microseconds;
using std::chrono::minutes;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes a text apart from its beginning. Once something is not as it should be, `ok` stays false
// and what it returns means nothing.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }

  // As many digits, as a number from `least` to `most`.
  int Number(std::size_t digits, int least, int most) {
    int number = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = Take();
      ok_ = ok_ && IsDigit(c);
      number = number * 10 + (c - '0');
    }
    ok_ = ok_ && number >= least && number <= most;
    return number;
  }

  char OneOf(std::string_view characters) {
    const char c = Take();
    ok_ = ok_ && characters.find(c) != std::string_view::npos;
    return c;
  }

  // What follows a point, where one is next.
  microseconds Fraction() {
    if (!rest_.starts_with('.')) return microseconds{0};
    rest_.remove_prefix(1);
    ok_ = ok_ && !rest_.empty() && IsDigit(rest_.front());
    microseconds fraction{0};
    for (microseconds unit{100'000}; !rest_.empty() && IsDigit(rest_.front()); unit /= 10) {
      fraction += unit * (Take() - '0');
    }
    return fraction;
  }

 private:
  char Take() {
    if (rest_.empty()) {
      ok_ = false;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  std::string_view rest_;
  bool ok_ = true;
};

minutes ReadOffset(Reader& reader) {
  const char sign = reader.OneOf("Zz+-");
  if (sign != '+' && sign != '-') return minutes{0};
  const minutes hours{60 * reader.Number(2, 0, 23)};
  reader.OneOf(":");
  const minutes offset = hours + minutes{reader.Number(2, 0, 59)};
  return sign == '-' ? -offset : offset;
}

}  // namespace

std::string Rfc3339(std::chrono::system_clock::time_point time) {
  using std::chrono::system_clock;
  const auto exact = std::chrono::floor<microseconds>(time);
  const auto second = std::chrono::floor<std::chrono::seconds>(exact);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(second)),
                     (exact - second).count());
}

std::optional<std::chrono::sys_time<microseconds>> ParseRfc3339(std::string_view text) {
  namespace chrono = std::chrono;
  Reader reader(text);
  const chrono::year year{reader.Number(4, 0, 9999)};
  reader.OneOf("-");
  const chrono::month month{static_cast<unsigned>(reader.Number(2, 1, 12))};
  reader.OneOf("-");
  const chrono::day day{static_cast<unsigned>(reader.Number(2, 1, 31))};
  reader.OneOf("Tt ");
  microseconds time_of_day = chrono::hours{reader.Number(2, 0, 23)};
  reader.OneOf(":");
  time_of_day += minutes{reader.Number(2, 0, 59)};
  reader.OneOf(":");
  time_of_day += chrono::seconds{reader.Number(2, 0, 60)};  // 60 is a leap second.
  time_of_day += reader.Fraction();
  const minutes offset = ReadOffset(reader);
  const chrono::year_month_day date{year, month, day};
  if (!reader.ok() || !reader.AtEnd() || !date.ok()) return std::nullopt;
  return chrono::sys_days{date} + time_of_day - offset;
}

}  // namespace iq
