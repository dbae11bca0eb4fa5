#include "bench/peers/floor/command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace iq::bench::floor {
namespace {

using nlohmann::json;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

struct Refused {
  const char* code;
  std::string reason;
};

// A scalar of the body; numbers keep their digits.
struct Scalar {
  enum class Type { kNone, kNumber, kText, kOther };
  Type type = Type::kNone;
  std::string text{};
};

struct Body {
  Scalar type, user, sum, id, payer, event, hold;
};

// Takes out of a body what the contract names, without building a tree. Member names are those of
// nlohmann's SAX interface.
class BodyReader {
 public:
  explicit BodyReader(Body& body) : body_(body) {}

  bool null() { return Put(Scalar::Type::kOther, {}); }
  bool boolean(bool /*value*/) { return Put(Scalar::Type::kOther, {}); }
  bool number_integer(json::number_integer_t value) {
    return Put(Scalar::Type::kNumber, std::to_string(value));
  }
  bool number_unsigned(json::number_unsigned_t value) {
    return Put(Scalar::Type::kNumber, std::to_string(value));
  }
  bool number_float(json::number_float_t /*value*/, const std::string& digits) {
    return Put(Scalar::Type::kNumber, digits);
  }
  bool string(std::string& value) {
    if (value.find('\0') != std::string::npos) throw Refused{"malformed", "a string holds \\u0000"};
    return Put(Scalar::Type::kText, std::move(value));
  }
  bool binary(json::binary_t& /*value*/) { return false; }
  bool start_object(std::size_t /*elements*/) { return Enter(/*object=*/true); }
  bool start_array(std::size_t /*elements*/) { return Enter(/*object=*/false); }
  bool end_object() { return Leave(); }
  bool end_array() { return Leave(); }

  bool key(std::string& name) {
    slot_ = nullptr;
    if (depth_ == 1) {
      in_details_ = name == "details";
      slot_ = RootSlot(name);
    } else if (depth_ == 2 && in_details_) {
      slot_ = DetailSlot(name);
    }
    if (slot_ != nullptr && slot_->type != Scalar::Type::kNone) {
      throw Refused{"malformed", fmt::format("duplicate key \"{}\"", name)};
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const json::exception& /*error*/) {
    throw Refused{"malformed", fmt::format("not JSON at byte {}", position)};
  }

 private:
  static constexpr int kDepthMax = 32;

  Scalar* RootSlot(std::string_view name) {
    if (name == "type") return &body_.type;
    if (name == "userId") return &body_.user;
    if (name == "sum") return &body_.sum;
    if (name == "id") return &body_.id;
    return nullptr;
  }

  Scalar* DetailSlot(std::string_view name) {
    if (name == "userFromId") return &body_.payer;
    if (name == "event") return &body_.event;
    if (name == "uuid") return &body_.hold;
    return nullptr;
  }

  bool Put(Scalar::Type type, std::string text) {
    if (depth_ == 0) throw Refused{"schema", "the body is not a JSON object"};
    if (depth_ == 1 && in_details_) throw Refused{"schema", "details: not an object"};
    if (slot_ != nullptr) *slot_ = {type, std::move(text)};
    slot_ = nullptr;
    return true;
  }

  bool Enter(bool object) {
    if (depth_ == 0 && !object) throw Refused{"schema", "the body is not a JSON object"};
    if (depth_ == kDepthMax) throw Refused{"malformed", "nested too deeply"};
    if (slot_ != nullptr) slot_->type = Scalar::Type::kOther;
    slot_ = nullptr;
    ++depth_;
    return true;
  }

  bool Leave() {
    --depth_;
    return true;
  }

  Body& body_;
  int depth_ = 0;
  bool in_details_ = false;
  Scalar* slot_ = nullptr;
};

Body ReadBody(std::string_view text) {
  constexpr std::size_t kBytesMax = 256 * 1024;
  if (text.size() > kBytesMax) throw Refused{"too_large", "the body is larger than 256 KiB"};
  // The lexer takes a NUL for the end of its input and skips a byte order mark.
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xEF\xBB\xBF")) {
    throw Refused{"malformed", "a NUL byte or a byte order mark"};
  }
  Body body;
  BodyReader reader(body);
  if (!json::sax_parse(text.begin(), text.end(), &reader)) throw Refused{"malformed", "not JSON"};
  return body;
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::int64_t PositiveNumber(const std::string& digits, const char* name) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value <= 0) {
    throw Refused{"schema", fmt::format("{}: not a number above zero in 64 bits", name)};
  }
  return value;
}

std::int64_t User(const Scalar& scalar, const char* name) {
  if (scalar.type != Scalar::Type::kNumber || !AllDigits(scalar.text)) {
    throw Refused{"schema", fmt::format("{}: missing, or not an integer above zero", name)};
  }
  return PositiveNumber(scalar.text, name);
}

// Whole units with up to three decimals, in thousandths.
std::int64_t Sum(const Scalar& scalar) {
  const std::string_view text = scalar.text;
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto fraction = point == std::string_view::npos ? "0" : text.substr(point + 1);
  const bool number = scalar.type == Scalar::Type::kNumber || scalar.type == Scalar::Type::kText;
  if (!number || !AllDigits(whole) || !AllDigits(fraction) || fraction.size() > 3) {
    throw Refused{"schema", "sum: missing, or not a number with up to three decimals"};
  }
  return PositiveNumber(fmt::format("{}{:0<3}", whole, fraction), "sum");
}

const std::string& Text(const Scalar& scalar, const char* name) {
  if (scalar.type != Scalar::Type::kText || scalar.text.empty()) {
    throw Refused{"schema", fmt::format("{}: missing, or not a text", name)};
  }
  return scalar.text;
}

Kind KindOf(const Body& body) {
  const std::string& type = Text(body.type, "type");
  if (type == "income") return Kind::kIncome;
  if (type == "withdraw") return Kind::kWithdraw;
  if (type == "transfer") return Kind::kTransfer;
  if (type != "lock") {
    throw Refused{"unknown_type", fmt::format("nothing serves the type \"{}\"", type)};
  }
  const std::string& event = Text(body.event, "details.event");
  if (event == "lock") return Kind::kHold;
  if (event == "withdraw") return Kind::kCapture;
  if (event == "unlock") return Kind::kRelease;
  throw Refused{"schema", "details.event: not lock, withdraw or unlock"};
}

std::string UserKey(std::int64_t user) { return fmt::format("user:{}", user); }

std::vector<std::string> Keys(const Command& command) {
  std::vector<std::string> keys{UserKey(command.user)};
  if (command.kind == Kind::kTransfer) keys.push_back(UserKey(command.payer));
  if (!command.hold.empty()) keys.push_back("hold:" + command.hold);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

// RFC 4122, version 5.
Uuid NameUuid(const Uuid& space, std::string_view name) {
  std::string text(space.begin(), space.end());
  text += name;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  Uuid uuid{};
  std::copy_n(digest.begin(), uuid.size(), uuid.begin());
  uuid[6] = static_cast<unsigned char>((uuid[6] & 0x0FU) | 0x50U);
  uuid[8] = static_cast<unsigned char>((uuid[8] & 0x3FU) | 0x80U);
  return uuid;
}

std::optional<Uuid> ParseUuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid{};
  std::size_t at = 0;
  for (unsigned char& byte : uuid) {
    if (at == 8 || at == 13 || at == 18 || at == 23) {
      if (text[at++] != '-') return std::nullopt;
    }
    const char* const digits = text.data() + at;
    if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) return std::nullopt;
    at += 2;
  }
  return uuid;
}

Uuid UuidOfId(std::string_view id) {
  constexpr Uuid kOidNamespace{0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad, 0x11, 0xd1,
                               0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
  const auto uuid = ParseUuid(id);
  return uuid ? *uuid : NameUuid(kOidNamespace, id);
}

std::string Quoted(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
  });
  if (plain) return fmt::format("\"{}\"", text);
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Number(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "null";
}

void ReadProperties(Command& command, const Body& body) {
  const amqp_basic_properties_t& properties = command.envelope->message.properties;
  const auto text = [&](amqp_flags_t flag, amqp_bytes_t bytes) {
    return (properties._flags & flag) != 0 ? std::string(View(bytes)) : std::string();
  };
  command.id = text(AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id);
  if (command.id.empty() && body.id.type == Scalar::Type::kText) command.id = body.id.text;
  if (command.id.empty()) command.id = UuidText(RandomUuid());
  command.correlation_id = text(AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id);
  if ((properties._flags & AMQP_BASIC_HEADERS_FLAG) == 0) return;
  for (int i = 0; i < properties.headers.num_entries; ++i) {
    const amqp_table_entry_t& header = properties.headers.entries[i];
    if (View(header.key) == "traceparent" && header.value.kind == AMQP_FIELD_KIND_UTF8) {
      command.traceparent = View(header.value.value.bytes);
    }
  }
}

Event MakeEvent(const Command& command, std::string name, std::string_view data,
                const std::string& now) {
  Event event{std::move(name), UuidText(NameUuid(command.uuid, "0")), now, {}};
  event.body =
      fmt::format(R"({{"event":"{}","id":"{}","commandId":{},"occurredAt":"{}","data":{{{}}}}})",
                  event.name, event.id, Quoted(command.id), now, data);
  return event;
}

std::string Data(const Command& command, const Effect& effect) {
  if (command.kind == Kind::kTransfer) {
    return fmt::format(R"("userId":{},"userFromId":{},"sum":{},"balance":{},"balanceFrom":{})",
                       command.user, command.payer, command.sum, Number(effect.balance),
                       Number(effect.payer_balance));
  }
  if (command.hold.empty()) {
    return fmt::format(R"("userId":{},"sum":{},"balance":{})", command.user, command.sum,
                       Number(effect.balance));
  }
  const char* event = command.kind == Kind::kHold      ? "lock"
                      : command.kind == Kind::kCapture ? "withdraw"
                                                       : "unlock";
  return fmt::format(R"("userId":{},"event":"{}","uuid":{},"sum":{},"balance":{})", command.user,
                     event, Quoted(command.hold), command.sum, Number(effect.balance));
}

[[noreturn]] void Changed() { throw std::runtime_error("a balance changed under its lock"); }

// The first hindrance decides, in the order in which the handlers of iq look for them.
Refused RefusalOfTransfer(const Command& command, const Effect& effect) {
  if (command.payer == command.user) {
    return {"same_user", fmt::format("user {} is both payer and receiver", command.user)};
  }
  if (!effect.payer_balance) {
    return {"unknown_user", fmt::format("the payer, user {}, has no balance", command.payer)};
  }
  if (!effect.balance) {
    return {"unknown_user", fmt::format("the receiver, user {}, has no balance", command.user)};
  }
  if (*effect.payer_balance < command.sum) {
    return {"insufficient_funds",
            fmt::format("the balance of user {} does not cover the sum", command.payer)};
  }
  if (*effect.balance <= kMost - command.sum) Changed();
  return {"balance_overflow",
          fmt::format("the balance of user {} would exceed 64 bits", command.user)};
}

Refused RefusalOfBalance(const Command& command, const Effect& effect) {
  if (!effect.balance) {
    return {"unknown_user", fmt::format("user {} has no balance", command.user)};
  }
  const bool debit = command.kind == Kind::kWithdraw || command.kind == Kind::kHold;
  if (debit && *effect.balance < command.sum) {
    return {"insufficient_funds",
            fmt::format("the balance of user {} does not cover the sum", command.user)};
  }
  if (debit || *effect.balance <= kMost - command.sum) Changed();
  return {"balance_overflow",
          fmt::format("the balance of user {} would exceed 64 bits", command.user)};
}

Refused RefusalOf(const Command& command, const Effect& effect) {
  switch (command.kind) {
    case Kind::kTransfer:
      return RefusalOfTransfer(command, effect);
    case Kind::kHold:
      if (effect.hold_user) return {"hold_exists", "a hold of this uuid stands already"};
      break;
    case Kind::kCapture:
    case Kind::kRelease:
      if (effect.hold_user != command.user) {
        return {"unknown_hold", fmt::format("user {} has no hold of this uuid", command.user)};
      }
      if (effect.hold_sum != command.sum) return {"sum_mismatch", "the hold is of another sum"};
      if (command.kind == Kind::kCapture) Changed();
      break;
    default:
      break;
  }
  return RefusalOfBalance(command, effect);
}

}  // namespace

void EnvelopeFree::operator()(amqp_envelope_t* envelope) const {
  amqp_destroy_envelope(envelope);
  delete envelope;
}

std::unique_ptr<Command> Decode(Envelope envelope) {
  auto command = std::make_unique<Command>();
  command->envelope = std::move(envelope);
  const std::string_view text = View(command->envelope->message.body);
  try {
    const Body body = ReadBody(text);
    ReadProperties(*command, body);
    command->kind = KindOf(body);
    command->type = body.type.text;
    command->user = User(body.user, "userId");
    command->sum = Sum(body.sum);
    if (command->kind == Kind::kTransfer) command->payer = User(body.payer, "details.userFromId");
    if (command->type == "lock") command->hold = Text(body.hold, "details.uuid");
    constexpr std::size_t kHoldBytesMax = 255;
    if (command->hold.size() > kHoldBytesMax) throw Refused{"schema", "details.uuid: too long"};
    command->uuid = UuidOfId(command->id);
    command->keys = Keys(*command);
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           command->payload_hash.data());
  } catch (Refused& refused) {
    command->verdict = Verdict{Outcome::kInvalid, refused.code, std::move(refused.reason), {}};
  }
  return command;
}

Verdict Judge(const Command& command, const Effect& effect, const std::string& now) {
  Verdict verdict;
  if (effect.done) {
    verdict.events.push_back(
        MakeEvent(command, "balance." + command.type, Data(command, effect), now));
    return verdict;
  }
  auto [code, reason] = RefusalOf(command, effect);
  verdict = {Outcome::kRejected, code, std::move(reason), {}};
  const std::string data = fmt::format(R"("type":"{}","code":"{}","reason":{})", command.type, code,
                                       Quoted(verdict.reason));
  verdict.events.push_back(MakeEvent(command, "command.rejected", data, now));
  return verdict;
}

std::vector<Event> ReadEvents(std::string_view array) {
  std::vector<Event> events;
  for (const json& body : json::parse(array)) {
    events.push_back({body.at("event"), body.at("id"), body.at("occurredAt"), body.dump()});
  }
  return events;
}

Uuid RandomUuid() {
  Uuid uuid{};
  if (RAND_bytes(uuid.data(), static_cast<int>(uuid.size())) != 1) {
    throw std::runtime_error("the system gives no random bytes");
  }
  uuid[6] = static_cast<unsigned char>((uuid[6] & 0x0FU) | 0x40U);
  uuid[8] = static_cast<unsigned char>((uuid[8] & 0x3FU) | 0x80U);
  return uuid;
}

std::string UuidText(const Uuid& uuid) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] >> 4U];
    text += kDigits[uuid[i] & 15U];
  }
  return text;
}

std::string Rfc3339Now() {
  using std::chrono::system_clock;
  const auto exact = std::chrono::floor<std::chrono::microseconds>(system_clock::now());
  const auto second = std::chrono::floor<std::chrono::seconds>(exact);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(second)),
                     (exact - second).count());
}

std::string_view View(amqp_bytes_t bytes) {
  if (bytes.len == 0) return {};
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

amqp_bytes_t Bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

}  // namespace iq::bench::floor
