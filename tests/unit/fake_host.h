// A host in memory that records what plugin.h tells it, and answers what the test says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <iq/plugin.h>

namespace iq_test {

inline std::string Copy(iq_str text) { return std::string(iq::detail::View(text)); }

inline std::string Describe(const iq_value& value) {
  std::string text;
  switch (value.type) {
    case IQ_NULL:
      return "null";
    case IQ_BOOL:
      return value.u.i64 == 1 ? "true" : value.u.i64 == 0 ? "false" : "neither";
    case IQ_INT64:
      return "int " + std::to_string(value.u.i64);
    case IQ_DOUBLE:
      return "double " + std::to_string(value.u.f64);
    case IQ_TEXT:
      return "text " + Copy(value.u.s);
    case IQ_BYTES:
      return "bytes " + Copy(value.u.s);
    case IQ_INT64_ARRAY:
      for (std::uint64_t i = 0; i < value.u.array.count; ++i) {
        text += ' ' + std::to_string(static_cast<const std::int64_t*>(value.u.array.items)[i]);
      }
      return "ints" + text;
    case IQ_TEXT_ARRAY:
      for (std::uint64_t i = 0; i < value.u.array.count; ++i) {
        text += ' ' + Copy(static_cast<const iq_str*>(value.u.array.items)[i]);
      }
      return "texts" + text;
    default:
      return "unknown " + std::to_string(value.type);
  }
}

inline iq_value Int(std::int64_t number) {
  iq_value value{};
  value.type = IQ_INT64;
  value.u.i64 = number;
  return value;
}

inline iq_value Double(double number) {
  iq_value value{};
  value.type = IQ_DOUBLE;
  value.u.f64 = number;
  return value;
}

inline iq_value Bool(bool truth) {
  iq_value value{};
  value.type = IQ_BOOL;
  value.u.i64 = truth ? 1 : 0;
  return value;
}

inline iq_value Str(std::string_view text, std::uint32_t type = IQ_TEXT) {
  iq_value value{};
  value.type = type;
  value.u.s = iq::detail::Borrow(text);
  return value;
}

// What the fake core was told about one command, and what it answers. Stands for iq_context and
// iq_plan.
struct Record {
  std::vector<std::string> statements;
  std::vector<std::string> arguments;  // Of all statements, one after the other.
  std::vector<std::pair<std::string, std::string>> events;
  std::vector<std::string> keys;
  std::string code;
  std::string reason;
  std::string last_error;

  iq_rc answer = IQ_OK;  // To every call.
  std::vector<std::vector<iq_value>> rows;
  std::size_t next_row = 0;
};

inline Record& Of(void* handle) { return *static_cast<Record*>(handle); }
inline iq_context* AsContext(Record& record) { return reinterpret_cast<iq_context*>(&record); }
inline iq_plan* AsPlan(Record& record) { return reinterpret_cast<iq_plan*>(&record); }

struct Document {
  std::map<std::string, iq_value> values;
  std::map<std::string, std::int64_t> decimals;
};

inline iq_command NewCommand(const Document& document) {
  iq_command command{};
  command.struct_size = sizeof(iq_command);
  command.attempt = 1;
  command.attempts_max = 5;
  command.id = iq::detail::Borrow("id-1");
  command.document = &document;
  return command;
}

inline iq_rc CommandGet(const iq_command* command, iq_str path, iq_value* out) {
  const auto& values = static_cast<const Document*>(command->document)->values;
  const auto found = values.find(Copy(path));
  if (found == values.end()) return IQ_E_NOT_FOUND;
  *out = found->second;
  return IQ_OK;
}

// Knows the numbers of `decimals`, at scale 3; what else there is has the wrong type.
inline iq_rc CommandDecimal(const iq_command* command, iq_str path, std::uint32_t scale,
                            std::int64_t* out) {
  const auto& document = *static_cast<const Document*>(command->document);
  const auto found = document.decimals.find(Copy(path));
  if (found != document.decimals.end() && scale == 3) {
    *out = found->second;
    return IQ_OK;
  }
  return document.values.contains(Copy(path)) ? IQ_E_TYPE : IQ_E_NOT_FOUND;
}

inline iq_rc PlanLock(iq_plan* plan, iq_str key) {
  Of(plan).keys.push_back(Copy(key));
  return Of(plan).answer;
}

template <typename Handle>
iq_rc Fail(Handle* handle, iq_str code, iq_str reason) {
  Of(handle).code = Copy(code);
  Of(handle).reason = Copy(reason);
  return IQ_OK;
}

inline iq_rc Execute(iq_context* context, iq_str sql, const iq_value* args, std::uint32_t count) {
  Record& record = Of(context);
  record.statements.push_back(Copy(sql));
  for (std::uint32_t i = 0; i < count; ++i) record.arguments.push_back(Describe(args[i]));
  return record.answer;
}

inline iq_rc Query(iq_context* context, iq_str sql, const iq_value* args, std::uint32_t count,
                   iq_rows** out) {
  *out = reinterpret_cast<iq_rows*>(context);
  Of(context).next_row = 0;
  return Execute(context, sql, args, count);
}

inline iq_rc RowNext(iq_rows* rows, const iq_value** columns, std::uint32_t* count) {
  Record& record = Of(rows);
  if (record.next_row == record.rows.size()) return 0;
  const auto& row = record.rows[record.next_row++];
  *columns = row.data();
  *count = static_cast<std::uint32_t>(row.size());
  return 1;
}

inline iq_rc Emit(iq_context* context, iq_str name, iq_str data) {
  Of(context).events.emplace_back(Copy(name), Copy(data));
  return Of(context).answer;
}

inline iq_str LastError(iq_context* context) { return iq::detail::Borrow(Of(context).last_error); }
inline std::int64_t NowUs(iq_context* /*context*/) { return 1'700'000'000'000'000; }
inline std::int64_t TimeLeftUs(iq_context* /*context*/) { return -5; }

// The host's tables. iq_host comes first, so that its functions find the rest.
struct FakeHost : iq_host {
  FakeHost() : iq_host{} {
    struct_size = sizeof(iq_host);
    abi_major = IQ_ABI_MAJOR;
    iq_host::version = iq::detail::Borrow("9.9");
    iq_host::core = &functions;
    iq_host::log = [](const iq_host* host, iq_context* context, std::uint32_t level, iq_str text) {
      static_cast<const FakeHost*>(host)->lines->push_back(
          std::to_string(level) + (context == nullptr ? " " : "+ ") + Copy(text));
    };
    iq_host::setting = [](const iq_host* host, iq_str key, iq_str* out) -> iq_rc {
      const auto& known = static_cast<const FakeHost*>(host)->settings;
      const auto found = known.find(Copy(key));
      if (found == known.end()) return IQ_E_NOT_FOUND;
      *out = iq::detail::Borrow(found->second);
      return IQ_OK;
    };
    functions.struct_size = sizeof(iq_core);
    functions.command_get = &CommandGet;
    functions.command_decimal = &CommandDecimal;
    functions.plan_lock = &PlanLock;
    functions.plan_fail = &Fail<iq_plan>;
    functions.fail = &Fail<iq_context>;
    functions.query = &Query;
    functions.execute = &Execute;
    functions.row_next = &RowNext;
    functions.emit = &Emit;
    functions.last_error = &LastError;
    functions.now_us = &NowUs;
    functions.time_left_us = &TimeLeftUs;
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  iq_core functions{};
  std::map<std::string, std::string> settings;
  std::unique_ptr<std::vector<std::string>> lines = std::make_unique<std::vector<std::string>>();
};

}  // namespace iq_test
