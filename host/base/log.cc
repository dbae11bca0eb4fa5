#include "host/base/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>

#include "host/base/json_text.h"

namespace iq::log {
namespace {

// Only what differs between records is built here; the time is spdlog's.
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})";

spdlog::level::level_enum SpdlogLevel(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view NameOf(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

// The length of the well-formed UTF-8 sequence that `bytes` begins with, 0 when there is none.
// After The Unicode Standard, table 3-7.
std::size_t Utf8Length(std::string_view bytes) {
  const auto at = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = at(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool beyond = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

// U+0080 to U+009F: terminals obey some of them as they obey ESC.
bool IsC1Control(std::string_view sequence) {
  return sequence.size() == 2 && sequence[0] == '\xC2' &&
         static_cast<unsigned char>(sequence[1]) < 0xA0;
}

void AppendEscaped(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == '\n') {
      out += "\\n";
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
}

// Nothing in `bytes` may end the line or steer a terminal.
void AppendPrintable(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = Utf8Length(bytes);
    const std::string_view sequence = bytes.substr(0, length == 0 ? 1 : length);
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (length == 0 || first < 0x20 || first == 0x7F || IsC1Control(sequence)) {
      AppendEscaped(out, sequence);
    } else {
      out += sequence;
    }
    bytes.remove_prefix(sequence.size());
  }
}

void AppendTextField(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += ' ';
  out += name;
  out += '=';
  // Quoted where it could pass for several fields.
  if (value.find_first_of(" =\"") == std::string_view::npos) {
    AppendPrintable(out, value);
    return;
  }
  std::string quoted(value);
  for (std::size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2) {
    quoted.insert(at, 1, '\\');
  }
  out += '"';
  AppendPrintable(out, quoted);
  out += '"';
}

std::string TextRecord(Level level, std::string_view message, const About& about) {
  std::string record = fmt::format("{:<5} ", NameOf(level));
  AppendPrintable(record, message);
  AppendTextField(record, "id", about.id);
  AppendTextField(record, "type", about.type);
  AppendTextField(record, "plugin", about.plugin);
  AppendTextField(record, "trace", about.trace_id);
  return record;
}

void AppendJsonField(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out += fmt::format(R"(,"{}":{})", name, JsonString(value));
}

std::string JsonRecord(Level level, std::string_view message, const About& about) {
  std::string record = fmt::format(R"("level":"{}","pid":{},"message":{})", NameOf(level), getpid(),
                                   JsonString(message));
  AppendJsonField(record, "id", about.id);
  AppendJsonField(record, "type", about.type);
  AppendJsonField(record, "plugin", about.plugin);
  AppendJsonField(record, "trace_id", about.trace_id);
  return record;
}

struct Output {
  Format format;
  spdlog::logger logger;

  Output(Level least, Format chosen)
      : format(chosen), logger("iq", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        chosen == Format::kJson ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc,
        "\n"));
    logger.set_level(SpdlogLevel(least));
    // spdlog's own handler would write to the very stream that has just failed.
    logger.set_error_handler([](const std::string&) {});
  }
};

// Never freed: plugins and other threads may still log while the process ends.
std::unique_ptr<Output>& TheOutput() {
  static auto* const output = new std::unique_ptr<Output>(  // NOLINT(*-non-const-global-variables)
      std::make_unique<Output>(Level::kWarn, Format::kText));
  return *output;
}

}  // namespace

void Start(Level least, Format format) {
  // Otherwise the end of whoever reads our stderr through a pipe would be our end, too.
  (void)std::signal(SIGPIPE, SIG_IGN);
  TheOutput() = std::make_unique<Output>(least, format);
}

void Write(Level level, std::string_view message, const About& about) {
  Output& output = *TheOutput();
  const auto spdlog_level = SpdlogLevel(level);
  if (!output.logger.should_log(spdlog_level)) return;
  const std::string record = output.format == Format::kJson ? JsonRecord(level, message, about)
                                                            : TextRecord(level, message, about);
  output.logger.log(spdlog_level, spdlog::string_view_t(record));
}

}  // namespace iq::log
