// What a handler gets from the host: settings and log, statements in the command's transaction,
// events.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <iq/abi.h>
#include <iq/command.h>
#include <iq/error.h>
#include <iq/json.h>
#include <iq/value.h>

namespace iq {

enum class LogLevel : std::uint32_t {
  kDebug = IQ_LOG_DEBUG,
  kInfo = IQ_LOG_INFO,
  kWarn = IQ_LOG_WARN,
  kError = IQ_LOG_ERROR,
};

// The host as this plugin sees it: a handler may take it in its constructor and keep a copy. Lives
// as long as the plugin is loaded; may be used by any thread.
class Host {
 public:
  explicit Host(const iq_host& raw) noexcept : raw_(&raw) {}

  // plugins.settings.PLUGIN.KEY of the configuration as text, nullopt where it is not set. Dots in
  // `key` nest. The text lives as long as the host.
  std::optional<std::string_view> Setting(std::string_view key) const {
    iq_str value{};
    const iq_rc rc = detail::Call(*raw_, &iq_host::setting, raw_, detail::Borrow(key), &value);
    if (rc == IQ_E_NOT_FOUND) return std::nullopt;
    detail::Check(rc);
    return detail::View(value);
  }

  // A setting that is `true` or `false`. Anything else throws std::invalid_argument, which in a
  // handler's constructor keeps the plugin from serving.
  bool Flag(std::string_view key, bool otherwise) const {
    const auto value = Setting(key);
    if (!value) return otherwise;
    if (*value != "true" && *value != "false") {
      throw std::invalid_argument("the setting " + std::string(key) + " must be true or false");
    }
    return *value == "true";
  }

  // A line in the host's log, with the plugin's name. Never log a command's body. Does not throw.
  void Log(LogLevel level, std::string_view text) const noexcept { Log(level, text, nullptr); }
  void Log(LogLevel level, std::string_view text, iq_context* context) const noexcept {
    const auto log = detail::Read(*raw_, &iq_host::log);
    if (log != nullptr) log(raw_, context, static_cast<std::uint32_t>(level), detail::Borrow(text));
  }

  // An optional service by id ("iq.metrics/1"); nullptr where this host has no such thing.
  const void* Service(std::string_view id) const noexcept {
    const auto get = detail::Read(*raw_, &iq_host::get_service);
    return get == nullptr ? nullptr : get(raw_, detail::Borrow(id));
  }

  std::string_view version() const noexcept {
    return detail::View(detail::Read(*raw_, &iq_host::version));
  }
  const iq_core& core() const noexcept { return *raw_->core; }

 private:
  const iq_host* raw_;
};

// One row of a result; columns count from 0. A view: it and its texts live until the handler's call
// returns. A column that is NULL, of another type or not there throws std::logic_error, which is a
// fault of the handler; the Find forms give nullopt for NULL.
//
// The database's bigint, integer and smallint are integers, boolean is a bool, double precision and
// real are numbers, bytea is bytes, and everything else is text.
class Row {
 public:
  Row(const iq_value* columns, std::uint32_t count) noexcept : columns_(columns), count_(count) {}

  std::size_t size() const noexcept { return count_; }
  bool IsNull(std::size_t column) const { return At(column).type == IQ_NULL; }

  std::int64_t Integer(std::size_t column) const { return Of(column, IQ_INT64).u.i64; }
  std::string_view Text(std::size_t column) const { return detail::View(Of(column, IQ_TEXT).u.s); }
  bool Bool(std::size_t column) const { return Of(column, IQ_BOOL).u.i64 != 0; }
  std::string_view Bytes(std::size_t column) const {
    return detail::View(Of(column, IQ_BYTES).u.s);
  }
  double Number(std::size_t column) const {
    if (At(column).type == IQ_INT64) return static_cast<double>(At(column).u.i64);
    return Of(column, IQ_DOUBLE).u.f64;
  }

  std::optional<std::int64_t> FindInteger(std::size_t column) const {
    return IsNull(column) ? std::nullopt : std::optional(Integer(column));
  }
  std::optional<std::string_view> FindText(std::size_t column) const {
    return IsNull(column) ? std::nullopt : std::optional(Text(column));
  }

 private:
  const iq_value& At(std::size_t column) const {
    if (column >= count_) throw std::logic_error("no column " + std::to_string(column));
    return columns_[column];
  }
  const iq_value& Of(std::size_t column, std::uint32_t type) const {
    const iq_value& value = At(column);
    if (value.type == type) return value;
    throw std::logic_error("column " + std::to_string(column) +
                           (value.type == IQ_NULL ? " is NULL" : " is of another type"));
  }

  const iq_value* columns_;
  std::uint32_t count_;
};

// The rows of one statement, read once, from first to last:
//   for (const iq::Row row : context.Query("SELECT …")) …
class Rows {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Row;

    explicit Iterator(Rows& rows) : rows_(&rows), row_(rows.Next()) {}
    Row operator*() const { return *row_; }
    Iterator& operator++() {
      row_ = rows_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t /*end*/) const noexcept { return !row_; }

   private:
    Rows* rows_;
    std::optional<Row> row_;
  };

  Rows(const iq_core& core, iq_rows* raw) noexcept : core_(&core), raw_(raw) {}

  // The next row, or nullopt at the end. Throws HostCallFailed.
  std::optional<Row> Next() {
    const iq_value* columns = nullptr;
    std::uint32_t count = 0;
    const auto rc = detail::Call(*core_, &iq_core::row_next, raw_, &columns, &count);
    return detail::Check(rc) == 0 ? std::nullopt
                                  : std::optional<Row>(std::in_place, columns, count);
  }

  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  const iq_core* core_;
  iq_rows* raw_;
};

// SQL in the transaction that also holds the command's journal row: all of it commits, or nothing.
// Parameters are $1, $2, …; see Parameter for their types. SELECT, INSERT, UPDATE, DELETE, WITH,
// VALUES and MERGE only, one statement a call. Every failure throws HostCallFailed, after which the
// handler can only return. Lives for the handler's call, on its thread.
class Transaction {
 public:
  Transaction(const Host& host, iq_context* raw) noexcept : host_(&host), raw_(raw) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Waits for the rows.
  template <typename... Args>
  [[nodiscard]] Rows Query(std::string_view sql, const Args&... args) {
    iq_rows* rows = nullptr;
    WithValues(
        [&](const iq_value* values, std::uint32_t count) {
          return detail::Call(core(), &iq_core::query, raw_, detail::Borrow(sql), values, count,
                              &rows);
        },
        args...);
    return Rows(core(), rows);
  }

  // The first row, if there is one.
  template <typename... Args>
  [[nodiscard]] std::optional<Row> QueryOne(std::string_view sql, const Args&... args) {
    return Query(sql, args...).Next();
  }

  // Does not wait: a failure may show only later, and costs the command its outcome all the same.
  template <typename... Args>
  void Execute(std::string_view sql, const Args&... args) {
    WithValues(
        [&](const iq_value* values, std::uint32_t count) {
          return detail::Call(core(), &iq_core::execute, raw_, detail::Borrow(sql), values, count);
        },
        args...);
  }

  // The host's clock, which tests can set.
  std::chrono::system_clock::time_point now() const {
    return std::chrono::system_clock::time_point(
        std::chrono::microseconds(detail::Call(core(), &iq_core::now_us, raw_)));
  }

  // Until the handler must have returned; negative when it is late.
  std::chrono::microseconds time_left() const {
    return std::chrono::microseconds(detail::Call(core(), &iq_core::time_left_us, raw_));
  }

 protected:
  ~Transaction() = default;

  const Host& host() const noexcept { return *host_; }
  const iq_core& core() const noexcept { return host_->core(); }
  iq_context* raw() const noexcept { return raw_; }

  void EmitThrough(iq_context* context, std::string_view name, std::string_view json) {
    detail::Check(
        detail::Call(core(), &iq_core::emit, context, detail::Borrow(name), detail::Borrow(json)));
  }

 private:
  template <typename Function, typename... Args>
  static void WithValues(Function function, const Args&... args) {
    if constexpr (sizeof...(args) == 0) {
      detail::Check(function(nullptr, 0));
    } else {
      const std::array<Parameter, sizeof...(args)> parameters{Parameter(args)...};
      std::array<iq_value, sizeof...(args)> values{};
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = parameters[i].raw();
      detail::Check(function(values.data(), static_cast<std::uint32_t>(values.size())));
    }
  }

  const Host* host_;
  iq_context* raw_;
};

// One command being handled.
class Context : public Transaction {
 public:
  using Transaction::Transaction;

  // An event, published once the command has committed, at least once. `name` is its routing key,
  // at most 255 bytes. The data are members, or the text of a JSON object. Throws HostCallFailed.
  void Emit(std::string_view name, std::initializer_list<Member> data) {
    Emit(name, Object(data).text());
  }
  void Emit(std::string_view name, std::string_view json) { EmitThrough(raw(), name, json); }

  // A line in the host's log that names the command. Never log its body. Does not throw.
  void Log(LogLevel level, std::string_view text) noexcept { host().Log(level, text, raw()); }
};

// Commands of one type that are handled together. Their lock keys are pairwise disjoint, unless the
// handler says kBatchSharesKeys. Each is done unless it is rejected; `index` is the command's place
// in the span.
class BatchContext : public Transaction {
 public:
  // What Discard throws.
  struct Discarded {};

  BatchContext(const Host& host, std::span<iq_context* const> contexts,
               std::span<iq_outcome> outcomes) noexcept
      : Transaction(host, contexts.front()), contexts_(contexts), outcomes_(outcomes) {}

  // As Context::Emit, for one of the commands.
  void Emit(std::size_t index, std::string_view name, std::initializer_list<Member> data) {
    Emit(index, name, Object(data).text());
  }
  void Emit(std::size_t index, std::string_view name, std::string_view json) {
    EmitThrough(At(index), name, json);
  }

  // Refuses one command, for which nothing was written and nothing emitted.
  void Reject(std::size_t index, std::string_view code, std::string_view reason) {
    detail::Check(detail::Call(core(), &iq_core::fail, At(index), detail::Borrow(code),
                               detail::Borrow(reason)));
    outcomes_[index] = IQ_REJECT;
  }

  // Undoes the whole run: the host then handles the commands one by one. So does any exception.
  [[noreturn]] void Discard() { throw Discarded{}; }

  void Log(LogLevel level, std::string_view text) noexcept { host().Log(level, text); }

 private:
  iq_context* At(std::size_t index) const {
    if (index >= contexts_.size()) throw std::logic_error("no such command in the batch");
    return contexts_[index];
  }

  std::span<iq_context* const> contexts_;
  std::span<iq_outcome> outcomes_;
};

}  // namespace iq
