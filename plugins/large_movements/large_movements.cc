// An example of a listener: notes in table large_movement every movement of at least
// plugins.settings.large_movements.least thousandths (default 1000000, that is 1000 units).
//
// It is built to examples/ and serves nobody by itself: run its large_movement.sql on the database,
// then copy it into plugins.directory.
#define IQ_USE_MINOR 1
#include <iq/plugin.h>

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace {

constexpr std::string_view kNote =
    "INSERT INTO large_movement (event_id, event, user_id, sum) VALUES ($1, $2, $3, $4)";

class Movements {
 public:
  static constexpr std::string_view kName = "movements";
  static constexpr std::string_view kPattern = "balance.*";
  static constexpr std::string_view kEvents = "{}";

  explicit Movements(const iq::Host& host) : least_(ReadLeast(host)) {}

  void OnEvent(const iq::Event& event, iq::Context& context) const {
    const std::int64_t sum = event.Integer("data.sum");
    if (sum < least_) return;
    context.Execute(kNote, event.id(), event.name(), event.Integer("data.userId"), sum);
  }

 private:
  static std::int64_t ReadLeast(const iq::Host& host) {
    std::int64_t least = 1'000'000;
    const auto setting = host.Setting("least");
    if (!setting) return least;
    const char* const end = setting->data() + setting->size();
    if (std::from_chars(setting->data(), end, least).ptr != end || least < 0) {
      throw std::invalid_argument("the setting least must be a whole number of thousandths");
    }
    return least;
  }

  std::int64_t least_;
};

}  // namespace

IQ_PLUGIN("large_movements", "1.0.0", Movements)
