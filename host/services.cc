#include "host/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "host/base/rfc3339.h"

namespace iq {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::size_t kLockKeysMax = 16;
constexpr std::size_t kLockKeyBytesMax = 255;
constexpr std::size_t kEventNameBytesMax = 255;
constexpr std::size_t kCodeBytesMax = 64;

std::string_view View(iq_str text) { return {text.ptr, text.ptr == nullptr ? 0 : text.len}; }

const Payload& PayloadOf(const iq_command* command) {
  return *static_cast<const Payload*>(command->document);
}

// The first word of a statement decides: what could end the transaction or change the session is
// not among them, and the extended protocol takes one statement at a time.
bool IsAllowed(std::string_view sql) {
  static constexpr std::array<std::string_view, 7> kAllowed = {
      "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "MERGE"};
  const auto begin = sql.find_first_not_of(" \t\r\n(");
  if (begin == std::string_view::npos) return false;
  sql.remove_prefix(begin);
  const auto end =
      std::find_if(sql.begin(), sql.end(), [](unsigned char c) { return std::isalpha(c) == 0; });
  std::string word(sql.begin(), end);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return std::find(kAllowed.begin(), kAllowed.end(), word) != kAllowed.end();
}

bool IsCode(std::string_view code) {
  return code.size() <= kCodeBytesMax &&
         code.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

iq_rc Note(iq_context& context, iq_rc rc, std::string text) {
  context.last_error = std::move(text);
  return rc;
}

iq_rc RefuseStatement(iq_context& context) {
  context.refusal =
      "only SELECT, INSERT, UPDATE, DELETE, WITH, VALUES and MERGE may be run: the host alone "
      "controls the transaction";
  return Note(context, IQ_E_INVALID, context.refusal);
}

iq_rc CodeOf(StoreError::Kind kind) {
  switch (kind) {
    case StoreError::Kind::kConflict:
      return IQ_E_CONFLICT;
    case StoreError::Kind::kDeadline:
      return IQ_E_DEADLINE;
    case StoreError::Kind::kDuplicate:
    case StoreError::Kind::kStatement:
      return IQ_E_SQL;
  }
  return IQ_E_SQL;
}

// What every statement of a plugin goes through.
template <typename Run>
iq_rc RunStatement(iq_context* context, iq_str sql, Run run) {
  if (context->failure != nullptr || !context->refusal.empty()) {
    return Note(*context, IQ_E_STATE, "an earlier statement failed: the handler can only return");
  }
  if (!IsAllowed(View(sql))) return RefuseStatement(*context);
  if (steady_clock::now() >= context->deadline) {
    context->late = true;
    return Note(*context, IQ_E_DEADLINE, "the command's time is up");
  }
  try {
    run();
    return IQ_OK;
  } catch (const Unavailable& error) {
    context->failure = std::current_exception();
    return Note(*context, IQ_E_UNAVAILABLE, error.what());
  } catch (const StoreError& error) {
    context->failure = std::current_exception();
    return Note(*context, CodeOf(error.kind()), error.what());
  }
}

iq_rc CommandGet(const iq_command* command, iq_str path, iq_value* out) {
  return PayloadOf(command).Get(View(path), out);
}

iq_rc CommandDecimal(const iq_command* command, iq_str path, uint32_t scale, int64_t* out) {
  constexpr uint32_t kScaleMax = 18;
  if (scale > kScaleMax) return IQ_E_INVALID;
  return PayloadOf(command).GetDecimal(View(path), scale, out);
}

iq_rc PlanLock(iq_plan* plan, iq_str key) {
  const std::string_view name = View(key);
  if (name.empty() || name.size() > kLockKeyBytesMax) return IQ_E_INVALID;
  if (std::find(plan->keys.begin(), plan->keys.end(), name) != plan->keys.end()) return IQ_OK;
  if (plan->keys.size() == kLockKeysMax) return IQ_E_INVALID;
  plan->keys.emplace_back(name);
  return IQ_OK;
}

iq_rc PlanFail(iq_plan* plan, iq_str code, iq_str reason) {
  if (!IsCode(View(code))) return IQ_E_INVALID;
  plan->code = View(code);
  plan->reason = View(reason);
  return IQ_OK;
}

iq_rc Fail(iq_context* context, iq_str code, iq_str reason) {
  if (!IsCode(View(code))) {
    return Note(*context, IQ_E_INVALID,
                fmt::format("the code \"{}\" is not lower_snake_case", View(code)));
  }
  context->code = View(code);
  context->reason = View(reason);
  return IQ_OK;
}

iq_rc Query(iq_context* context, iq_str sql, const iq_value* args, uint32_t count, iq_rows** out) {
  return RunStatement(context, sql, [&] {
    context->results.push_back({context->session.Query(View(sql), {args, count})});
    if (out != nullptr) *out = &context->results.back();
  });
}

iq_rc Execute(iq_context* context, iq_str sql, const iq_value* args, uint32_t count) {
  return RunStatement(context, sql, [&] { context->session.Execute(View(sql), {args, count}); });
}

iq_rc RowNext(iq_rows* rows, const iq_value** columns, uint32_t* count) {
  if (rows->next == rows->rows.size()) return 0;
  *columns = &rows->rows.At(rows->next, 0);
  *count = static_cast<uint32_t>(rows->rows.columns);
  ++rows->next;
  return 1;
}

iq_rc Emit(iq_context* context, iq_str name, iq_str data) {
  const std::string_view event = View(name);
  if (event.empty() || event.size() > kEventNameBytesMax) {
    return Note(*context, IQ_E_INVALID, "an event's name has 1 to 255 bytes");
  }
  const auto object = nlohmann::json::parse(View(data), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Note(*context, IQ_E_INVALID, "an event's data is a JSON object");
  context->events.push_back({std::string(event), object.dump(), Rfc3339(context->clock())});
  return IQ_OK;
}

iq_str LastError(iq_context* context) {
  return {context->last_error.data(), context->last_error.size()};
}

int64_t NowUs(iq_context* context) {
  return std::chrono::duration_cast<std::chrono::microseconds>(context->clock().time_since_epoch())
      .count();
}

int64_t TimeLeftUs(iq_context* context) {
  return std::chrono::duration_cast<std::chrono::microseconds>(context->deadline -
                                                               steady_clock::now())
      .count();
}

constexpr iq_core kCore = {
    .struct_size = sizeof(iq_core),
    .minor = IQ_ABI_MINOR,
    .command_get = CommandGet,
    .command_decimal = CommandDecimal,
    .plan_lock = PlanLock,
    .plan_fail = PlanFail,
    .fail = Fail,
    .query = Query,
    .execute = Execute,
    .row_next = RowNext,
    .emit = Emit,
    .last_error = LastError,
    .now_us = NowUs,
    .time_left_us = TimeLeftUs,
};

}  // namespace

const iq_core& CoreServices() { return kCore; }

void DescribeContext(const iq_context& context, log::About* about) {
  about->id = context.command.id;
  about->type = context.command.type;
  about->trace_id = context.command.trace.trace_id;
}

std::string Rfc3339Now() { return Rfc3339(system_clock::now()); }

}  // namespace iq
