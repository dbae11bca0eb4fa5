#include "host/outcome.h"

namespace iq {

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kRejected:
      return "rejected";
    case Outcome::kInvalid:
      return "invalid";
    case Outcome::kRetry:
      return "retry";
    case Outcome::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace iq
