// iq send: puts commands on the queue, and says so once the broker has confirmed them.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "host/base/error.h"
#include "host/base/terminal_text.h"
#include "host/base/uuid.h"
#include "host/broker/confirmed_sender.h"
#include "host/cli/command_body.h"
#include "host/cli/input_lines.h"
#include "host/cli/progress.h"
#include "host/cli/shown_outcomes.h"
#include "host/cli/subscription.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/command.h"
#include "host/outgoing_command.h"
#include "host/payload.h"
#include "host/trace/trace_context.h"

namespace iq::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 10s;
constexpr auto kInputWait = 100ms;
constexpr std::size_t kIdsShownMax = 20;
constexpr std::uint64_t kCountMax = 1'000'000'000;

struct SendOptions {
  std::string type;
  std::vector<std::string> fields;
  std::optional<std::string> id;
  bool no_id = false;
  std::uint64_t count = 1;
  std::string file;
  std::optional<std::string> exchange;
  std::optional<std::string> traceparent;
  bool wait = false;
  std::uint32_t timeout_s = 60;
};

// What the commands of one call share.
struct Envelope {
  std::string exchange;
  const SecurityConfig& security;
  std::string traceparent;  // Empty: they belong to no trace.
};

// The commands of one call on their way.
class Sending {
 public:
  // Asks for replies where `outcomes` is there to show them.
  Sending(Broker& broker, Envelope envelope, std::uint64_t total, ShownOutcomes* outcomes)
      : envelope_(std::move(envelope)),
        outcomes_(outcomes),
        sender_(broker, kPatience),
        progress_("sent", total) {}

  // Without an id where `id` is empty.
  void Send(std::string body, const std::string& id) {
    Message message = MakeCommand(std::move(body), id, envelope_.security);
    if (!envelope_.traceparent.empty()) {
      message.headers[kTraceparentHeader] = {envelope_.traceparent};
    }
    if (outcomes_ != nullptr) outcomes_->Expect(message);
    sender_.Send({envelope_.exchange, ""}, std::move(message));
    ids_.push_back(id);
    if (outcomes_ == nullptr) {
      progress_.Show(sender_.confirmed());
    } else {
      outcomes_->ShowArrived();
    }
  }

  std::size_t count() const { return ids_.size(); }
  void Attend() {
    sender_.Attend();
    if (outcomes_ != nullptr) outcomes_->ShowArrived();
  }
  void Flush() { sender_.Flush(); }

  // After Flush. Says what was sent or, once it is known, what became of it.
  int Report(bool json) {
    if (outcomes_ == nullptr) {
      ReportSent(json);
      return kDone;
    }
    ShowOutcomes();
    return outcomes_->all_done() ? kDone : kFailed;
  }

  // Waits for all that are awaited.
  void ShowOutcomes() {
    if (outcomes_ == nullptr) return;
    outcomes_->ShowAll(
        [this](Message message) {
          sender_.Send({envelope_.exchange, ""}, std::move(message));
          sender_.Flush();
        },
        [this] { sender_.Attend(); });
  }

 private:
  void ReportSent(bool json) const {
    if (json) {
      for (const std::string& id : ids_) {
        Print(
            RecordJson({{"id", id.empty() ? Cell() : Cell(id)}, {"exchange", envelope_.exchange}}));
      }
      return;
    }
    const bool all_named =
        std::all_of(ids_.begin(), ids_.end(), [](const std::string& id) { return !id.empty(); });
    if (!all_named || ids_.size() > kIdsShownMax) {
      Print(fmt::format("sent {} message{} to exchange {}\n", ids_.size(),
                        ids_.size() == 1 ? "" : "s", envelope_.exchange));
      return;
    }
    for (const std::string& id : ids_) Print(OneLine(id) + '\n');
  }

  Envelope envelope_;
  ShownOutcomes* outcomes_;
  ConfirmedSender sender_;
  Progress progress_;
  std::vector<std::string> ids_;
};

struct Line {
  std::string body;
  std::string id;
};

struct IdRules {
  bool none;  // Commands travel without an id.
  const SecurityConfig& security;
};

[[noreturn]] void Refuse(const std::string& what) { throw UsageError("send: " + what); }

bool FromInput(const SendOptions& options) { return options.type == "-" || options.file == "-"; }

void CheckOptions(const SendOptions& options) {
  const bool lines = !options.file.empty() || FromInput(options);
  if (options.type.empty() && options.file.empty()) {
    Refuse("what? Name a TYPE and key=value pairs, --file FILE, or - for standard input");
  }
  if (!options.file.empty() && !options.type.empty()) {
    Refuse("--file holds whole commands: leave TYPE and key=value out");
  }
  if (lines && !options.fields.empty()) {
    Refuse("the lines of standard input hold whole commands: leave key=value out");
  }
  if (lines && (options.id || options.count != 1)) {
    Refuse("--id and --count are for one command: put an \"id\" into each line instead");
  }
  if (options.traceparent && !ParseTraceparent(*options.traceparent)) {
    Refuse(
        "--traceparent: not one of W3C Trace Context; write 00-TRACE-SPAN-FLAGS with 32, 16 and 2 "
        "digits of lower-case hexadecimal, for instance "
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  }
  if (!options.id) return;
  if (options.id->empty()) Refuse("--id: empty; name one, or leave it to iq");
  if (NumberedId(*options.id, options.count, options.count).size() > kIdBytesMax) {
    Refuse(fmt::format("--id: longer than {} bytes, which AMQP does not carry", kIdBytesMax));
  }
}

// What --traceparent says, or the environment in which a traced program has started this one.
std::string TraceparentFor(const SendOptions& options) {
  if (options.traceparent) return *options.traceparent;
  const char* const given = std::getenv("TRACEPARENT");  // NOLINT(concurrency-mt-unsafe)
  return given != nullptr && ParseTraceparent(given) ? given : "";
}

// The body's own, or a new one. Throws PayloadError where the body is no JSON object.
std::string IdFor(const std::string& body, const IdRules& rules) {
  std::string id = IdForBody(body);
  return rules.none ? std::string() : id;
}

// Throws UsageError that names `place` unless `line` is a body with an id by the rules.
std::string IdForLine(const std::string& line, const std::string& place, const IdRules& rules) {
  std::string id;
  try {
    id = IdFor(line, rules);
  } catch (const PayloadError& error) {
    throw UsageError(
        fmt::format("{}: {}; each line must be one command as a JSON object", place, error.what()));
  }
  if (const auto fault = IdFault(id, rules.security)) {
    throw UsageError(fmt::format("{}: {}", place, *fault));
  }
  return id;
}

// The body, and the id that its copies share: empty where each gets one of its own, or none.
Line ReadFields(const SendOptions& options, const IdRules& rules) {
  Line line{CommandBody(options.type, options.fields), {}};
  try {
    line.id = IdInBody(line.body);
  } catch (const PayloadError& error) {
    Refuse(error.what());
  }
  if (rules.none) line.id.clear();
  if (options.id) line.id = *options.id;
  if (const auto fault = IdFault(line.id, rules.security)) Refuse(*fault);
  return line;
}

void SendFields(Sending& sending, const Line& line, const SendOptions& options) {
  for (std::uint64_t number = 1; number <= options.count; ++number) {
    std::string id;
    if (!line.id.empty()) {
      id = NumberedId(line.id, number, options.count);
    } else if (!options.no_id) {
      id = RandomUuid();
    }
    sending.Send(line.body, id);
  }
}

// All of it is read and checked before anything is sent.
std::vector<Line> ReadFileLines(const std::string& path, const IdRules& rules) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    throw UsageError(fmt::format("{}: cannot be read: {}; name another file with --file", path,
                                 std::generic_category().message(errno)));
  }
  struct Close {
    int fd;
    ~Close() { close(fd); }
  } const closed_at_end{fd};
  std::vector<Line> lines;
  InputLines input(fd, path);
  try {
    while (!input.ended()) {
      auto line = input.Next(kInputWait);
      if (!line || line->empty()) continue;
      std::string id = IdForLine(*line, input.place(), rules);
      lines.push_back({std::move(*line), std::move(id)});
    }
  } catch (const std::system_error& error) {
    throw UsageError(fmt::format("{}; name another file with --file", error.what()));
  }
  return lines;
}

// Sends each line as it comes: whoever writes them may wait for the effect of one before the next.
void SendInput(Sending& sending, const IdRules& rules) {
  InputLines input(STDIN_FILENO, "standard input");
  while (!input.ended()) {
    auto line = input.Next(0ms);
    if (!line) {
      sending.Attend();
      line = input.Next(kInputWait);
    }
    if (!line || line->empty()) continue;
    std::string id;
    try {
      id = IdForLine(*line, input.place(), rules);
    } catch (const UsageError& error) {
      sending.Flush();
      sending.ShowOutcomes();
      throw UsageError(fmt::format("{} ({} before it were sent)", error.what(), sending.count()));
    }
    sending.Send(std::move(*line), id);
  }
}

// `wanted`, or the first consumer's. Throws where a command could not reach a queue.
std::string ExchangeFor(Broker& broker, const Config& config,
                        const std::optional<std::string>& wanted) {
  if (!wanted || *wanted == config.consumers[0].exchange) {
    return CommandAddress(broker, config).exchange;
  }
  if (!wanted->empty()) RequireExchange(broker, *wanted);
  return *wanted;
}

int Send(const Config& config, const SendOptions& options, bool json) {
  RequireUrls(config);
  CheckOptions(options);
  const bool from_input = FromInput(options);
  const bool from_file = !options.file.empty() && !from_input;
  const IdRules rules{.none = options.no_id, .security = config.security};
  std::vector<Line> lines;
  if (from_file) lines = ReadFileLines(options.file, rules);
  if (!from_file && !from_input) lines.push_back(ReadFields(options, rules));
  const auto broker = OpenBroker(config.broker.url, "iq send");
  const Envelope envelope{.exchange = ExchangeFor(*broker, config, options.exchange),
                          .security = config.security,
                          .traceparent = TraceparentFor(options)};
  std::optional<ShownOutcomes> outcomes;
  if (options.wait) outcomes.emplace(*broker, std::chrono::seconds(options.timeout_s), json);
  Sending sending(*broker, envelope,
                  from_input  ? 0
                  : from_file ? lines.size()
                              : options.count,
                  outcomes ? &*outcomes : nullptr);
  if (from_input) {
    SendInput(sending, rules);
  } else if (from_file) {
    for (Line& line : lines) sending.Send(std::move(line.body), line.id);
  } else {
    SendFields(sending, lines[0], options);
  }
  sending.Flush();
  return sending.Report(json);
}

}  // namespace

void AddSend(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "send", "Send commands", Rows::kYes);
  const auto options = std::make_shared<SendOptions>();
  verb->add_option("TYPE", options->type,
                   "The command's type, or - for whole commands from standard input, one a line");
  verb->add_option(
      "FIELDS", options->fields,
      "key=value …; dots nest: details.userFromId=3; a value that is JSON is taken so");
  auto* id = verb->add_option("--id", options->id,
                              "The message id [a new UUID]; with --count followed by -1, -2, …");
  verb->add_flag("--no-id", options->no_id, "Send without an id: a repetition is not recognised")
      ->excludes(id);
  verb->add_option("--count", options->count, "How many of the command to send")
      ->check(CLI::Range(std::uint64_t{1}, kCountMax))
      ->capture_default_str();
  verb->add_option("--file", options->file,
                   "Send the whole commands of this file, one a line; - is standard input");
  verb->add_option("--exchange", options->exchange, "Where to [the first consumer's exchange]");
  verb->add_option("--traceparent", options->traceparent,
                   "The trace that they belong to, by W3C Trace Context [$TRACEPARENT]");
  auto* wait =
      verb->add_flag("--wait", options->wait,
                     "Wait for each outcome and show it; exit status 1 unless all are done");
  verb->add_option("--timeout", options->timeout_s, "With --wait: seconds without any outcome")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str()
      ->needs(wait);
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      return Send(invocation.LoadQuietly(), *options, invocation.json);
    };
  });
}

}  // namespace iq::cli
