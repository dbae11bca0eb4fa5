// How fast iq is: against a bare loop on the same libraries, against programs that do the same work
// on other stacks, and against itself under other conditions.
//
// The clock runs from a fifth of the events to the last one. Every contender gives the same
// guarantees on the same tables, with the same messages: PostgreSQL commits are durable, events are
// confirmed, a command is acked after both. A run that lost or repeated something is an error.
// Whatever is compared runs in turn, several times, so that a machine whose speed drifts is fair.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/arena.h"
#include "bench/contender.h"
#include "bench/load.h"
#include "bench/profile.h"
#include "bench/report.h"
#include "bench/watchers.h"

namespace iq::bench {
namespace {

constexpr const char* kReport = IQ_SOURCE_DIR "/docs/benchmarks.md";
constexpr const char* kPlot = IQ_SOURCE_DIR "/docs/benchmarks.svg";

struct Options {
  std::int64_t commands = 100'000;
  std::int64_t users = 10'000;
  int runs = 5;
  std::string mix = "mixed";
  std::vector<std::string> contenders;
  bool write = false;
};

Mix MixOf(const Options& options) { return options.mix == "income" ? Mix::kIncome : Mix::kMixed; }

// "iq:2", "embedded:1", "go:50".
Contender ParseContender(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::size_t count = colon == std::string::npos ? 1 : std::stoul(text.substr(colon + 1));
  if (name == "iq") return Iq(count);
  if (name == "embedded") return Iq(count, test::ProfileName::kEmbedded);
  return Peer(name, count);
}

Load LoadFor(const Contender& contender, const Options& options) {
  const auto commands =
      static_cast<std::int64_t>(contender.share * static_cast<double>(options.commands));
  return {MixOf(options), commands, options.users};
}

void Say(const std::string& text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

std::string Spread(const Series& series, const char* form = "{:.0f}") {
  return fmt::format("{} ({} to {})", fmt::format(fmt::runtime(form), series.Median()),
                     fmt::format(fmt::runtime(form), series.Min()),
                     fmt::format(fmt::runtime(form), series.Max()));
}

// One condition of a study and what was measured under it.
struct Entry {
  std::string label;
  std::function<Measured()> run;
  std::vector<Measured> runs{};

  Series Of(double Measured::*figure) const {
    Series series{label};
    for (const Measured& each : runs) series.values.push_back(each.*figure);
    return series;
  }
};

// In turn, and all again in another order, the same for everyone who asks: none always comes after
// the one that leaves most to be written to the disk.
void RunInTurn(std::vector<Entry>& entries, int runs) {
  std::vector<Entry*> order;
  order.reserve(entries.size());
  for (Entry& entry : entries) order.push_back(&entry);
  std::minstd_rand random;
  for (int run = 1; run <= runs; ++run) {
    for (Entry* entry : order) {
      entry->runs.push_back(entry->run());
      const Measured& last = entry->runs.back();
      Say(fmt::format("run {} of {}: {:28} {:7.0f} commands/s, {:4.0f} us of CPU each", run, runs,
                      entry->label, last.rate, last.cpu_us));
    }
    std::shuffle(order.begin(), order.end(), random);
  }
}

// Pair by pair, of runs of one round.
Series Ratio(const Entry& one, const Entry& other) {
  Series ratio{one.label + " / " + other.label};
  for (std::size_t i = 0; i < one.runs.size(); ++i) {
    ratio.values.push_back(one.runs[i].rate / other.runs[i].rate);
  }
  return ratio;
}

// Of those with this name.
const Entry& Best(const std::vector<Entry>& entries, const std::string& name) {
  const Entry* best = nullptr;
  for (const Entry& entry : entries) {
    if (!entry.label.starts_with(name + ",")) continue;
    if (best == nullptr ||
        entry.Of(&Measured::rate).Median() > best->Of(&Measured::rate).Median()) {
      best = &entry;
    }
  }
  if (best == nullptr) throw std::runtime_error("there is no contender " + name);
  return *best;
}

std::string RateTable(const std::vector<Entry>& entries) {
  const Entry& iq = Best(entries, "iq");
  std::vector<std::vector<std::string>> rows = {
      {"contender", "commands in a run", "commands/s, median (min to max)",
       "CPU of its processes, µs a command", "iq at its best / this"}};
  for (const Entry& entry : entries) {
    rows.push_back({entry.label, std::to_string(entry.runs[0].commands),
                    Spread(entry.Of(&Measured::rate)), Spread(entry.Of(&Measured::cpu_us)),
                    Spread(Ratio(iq, entry), "{:.2f}")});
  }
  return MarkdownTable(rows);
}

void StudyRate(const Options& options) {
  std::vector<Entry> entries;
  entries.reserve(options.contenders.size());
  for (const std::string& text : options.contenders) {
    const Contender contender = ParseContender(text);
    entries.push_back(
        {contender.Label(), [contender, &options] {
           return Arena(contender.profile).Drain(contender, LoadFor(contender, options));
         }});
  }
  const bool has_iq = std::any_of(entries.begin(), entries.end(), [](const Entry& entry) {
    return entry.label.starts_with("iq,");
  });
  if (!has_iq) throw std::invalid_argument("name iq:COUNT, too: the others are compared with it");
  RunInTurn(entries, options.runs);
  const std::string table = RateTable(entries);
  Say(table);
  if (!options.write) return;
  std::vector<Series> rates;
  rates.reserve(entries.size());
  for (const Entry& entry : entries) rates.push_back(entry.Of(&Measured::rate));
  const std::string title =
      fmt::format("Commands a second, {} load, {} users", options.mix, options.users);
  WriteFile(kPlot, Svg(title, rates));
  WriteSection(kReport, "surroundings", Surroundings());
  WriteSection(kReport, "rate",
               fmt::format("The {} load, {} users, {} runs of each in turn.\n\n{}\n"
                           "![Commands a second](benchmarks.svg)\n",
                           options.mix, options.users, options.runs, table));
}

// The first entry is what the others are compared with.
std::string ComparisonTable(const std::vector<Entry>& entries) {
  std::vector<std::vector<std::string>> rows = {
      {"iq, 1 process", "commands/s, median (min to max)", "this / " + entries[0].label}};
  for (const Entry& entry : entries) {
    rows.push_back({entry.label, Spread(entry.Of(&Measured::rate)),
                    Spread(Ratio(entry, entries[0]), "{:.2f}")});
  }
  return MarkdownTable(rows);
}

void StudyHot(const Options& options) {
  constexpr std::int64_t kHotUsers = 8;
  std::vector<Entry> entries;
  for (const std::int64_t users : {options.users, kHotUsers}) {
    const Contender contender = Iq(1);
    entries.push_back({fmt::format("{} users", users), [contender, users, &options] {
                         Options hot = options;
                         hot.users = users;
                         return Arena(contender.profile).Drain(contender, LoadFor(contender, hot));
                       }});
  }
  RunInTurn(entries, options.runs);
  const std::string table = ComparisonTable(entries);
  Say(table);
  if (options.write) WriteSection(kReport, "hot", table);
}

void StudyJournal(const Options& options, std::int64_t rows) {
  std::vector<Entry> entries;
  for (const std::int64_t journalled : {std::int64_t{0}, rows}) {
    entries.push_back({fmt::format("a journal of {} rows", journalled), [journalled, &options] {
                         Arena arena(test::ProfileName::kServers);
                         if (journalled > 0) arena.FillJournal(journalled);
                         const Contender contender = Iq(1);
                         return arena.Drain(contender, LoadFor(contender, options));
                       }});
  }
  RunInTurn(entries, options.runs);
  const std::string table = ComparisonTable(entries);
  Say(table);
  if (options.write) WriteSection(kReport, "journal", table);
}

// As many as a person leaves open, at the page that the contender itself serves.
void StudyPage(const Options& options) {
  constexpr std::size_t kTabs = 5;
  constexpr int kPort = 9400;  // admin.listen of the shipped configuration.
  std::vector<Entry> entries;
  for (const std::size_t tabs : {std::size_t{0}, kTabs}) {
    entries.push_back({fmt::format("the page open {} times", tabs), [tabs, &options] {
                         Arena arena(test::ProfileName::kServers);
                         const Watchers watchers(kPort, tabs);
                         const Contender contender = Iq(1);
                         const Measured measured =
                             arena.Drain(contender, LoadFor(contender, options));
                         if (tabs > 0 && watchers.bytes() == 0) {
                           throw std::runtime_error("the page told nobody anything");
                         }
                         return measured;
                       }});
  }
  RunInTurn(entries, options.runs);
  const std::string table = ComparisonTable(entries);
  Say(table);
  if (options.write) WriteSection(kReport, "page", table);
}

// What a person may ask the journal for.
void StudySearch(const Options& options, std::int64_t rows) {
  const std::vector<std::pair<std::string, JournalSearch>> searches{
      {"the newest", {}},
      {"an id that nothing has", {.id = "old-1"}},
      {"a user with 0.01 % of the rows", {.key = "user:7"}},
      {"a user with 1 % of the rows", {.key = "user:hot"}},
      {"a user without any", {.key = "user:none"}},
      {"a type without any", {.type = "none"}},
      {"what was rejected, one of 100,000", {.outcome = "rejected"}},
      {"type, outcome and user", {.key = "user:7", .type = "income", .outcome = "done"}}};
  Arena arena(test::ProfileName::kServers);
  arena.FillJournal(rows);
  std::vector<std::vector<std::string>> table{{"looked for", "rows of the first page", "ms"}};
  for (const auto& [label, search] : searches) {
    Series took{label};
    std::size_t found = 0;
    for (int run = 0; run < options.runs; ++run) {
      const auto began = Clock::now();
      found = arena.Search(search);
      took.values.push_back(
          std::chrono::duration<double, std::milli>(Clock::now() - began).count());
    }
    table.push_back({label, std::to_string(found), Spread(took, "{:.1f}")});
    Say(fmt::format("{:36} {}", label, Spread(took, "{:.1f}")));
  }
  Say(MarkdownTable(table));
  if (options.write) WriteSection(kReport, "search", MarkdownTable(table));
}

void StudyBacklog(const Options& options, std::int64_t commands) {
  struct Figures {
    Contender contender;
    Series first{"first tenth, commands/s"};
    Series last{"last tenth, commands/s"};
    Series ratio{"last tenth / first tenth"};
    Series idle{"resident before the load, MiB"};
    Series after{"resident after it, MiB"};
    Series own_idle{"of which its own, not a file's, before"};
    Series own_after{"its own after"};
  };
  std::vector<Figures> all;
  for (const std::string& text : options.contenders) all.push_back({ParseContender(text)});
  const Load load(MixOf(options), commands, options.users);
  for (int run = 1; run <= options.runs; ++run) {
    for (Figures& each : all) {
      Arena arena(each.contender.profile);
      const Memory idle = arena.IdleMemory();
      const Measured measured = arena.Drain(each.contender, load);
      each.first.values.push_back(measured.first_tenth);
      each.last.values.push_back(measured.last_tenth);
      each.ratio.values.push_back(measured.last_tenth / measured.first_tenth);
      each.idle.values.push_back(idle.resident);
      each.own_idle.values.push_back(idle.own);
      each.after.values.push_back(measured.memory_after.resident);
      each.own_after.values.push_back(measured.memory_after.own);
      Say(fmt::format("run {}: {:28} {:.0f} commands/s, {:.0f} at first, {:.0f} at last", run,
                      each.contender.Label(), measured.rate, measured.first_tenth,
                      measured.last_tenth));
    }
  }
  std::vector<std::vector<std::string>> rows = {{fmt::format("{} commands", commands)}};
  for (const Figures& each : all) rows[0].push_back(each.contender.Label());
  const auto add = [&](Series Figures::*series, const char* form, bool of_iq_alone) {
    std::vector<std::string> row{(all[0].*series).label};
    for (const Figures& each : all) {
      const bool known = !of_iq_alone || each.contender.name.starts_with("iq");
      row.push_back(known ? Spread(each.*series, form) : "-");
    }
    rows.push_back(row);
  };
  add(&Figures::first, "{:.0f}", false);
  add(&Figures::last, "{:.0f}", false);
  add(&Figures::ratio, "{:.2f}", false);
  // The idle process is an iq, whoever contends.
  add(&Figures::idle, "{:.1f}", true);
  add(&Figures::after, "{:.1f}", true);
  add(&Figures::own_idle, "{:.1f}", true);
  add(&Figures::own_after, "{:.1f}", true);
  const std::string table = MarkdownTable(rows);
  Say(table);
  if (options.write) WriteSection(kReport, "backlog", table);
}

void StudyProfile(const Options& options) {
  constexpr std::size_t kTop = 10;
  const std::string data = fmt::format("/var/tmp/iq-bench-{}.perf", getpid());
  const Contender contender = Iq(1);
  const Measured measured =
      Arena(contender.profile).Drain(Profiled(contender, data), LoadFor(contender, options));
  const auto by_object = SharesByObject(data);
  const auto by_symbol = SharesBySymbol(data);
  std::filesystem::remove(data);
  std::vector<std::vector<std::string>> objects = {{"in", "of its CPU time"}};
  for (std::size_t i = 0; i < std::min(kTop, by_object.size()); ++i) {
    objects.push_back({by_object[i].object, by_object[i].percent});
  }
  std::vector<std::vector<std::string>> symbols = {{"function", "in", "of its CPU time"}};
  for (std::size_t i = 0; i < std::min(kTop, by_symbol.size()); ++i) {
    symbols.push_back({'`' + by_symbol[i].symbol + '`', by_symbol[i].object, by_symbol[i].percent});
  }
  const std::string text =
      fmt::format("{:.0f} us of CPU a command at {:.0f} commands/s.\n\n{}\n{}", measured.cpu_us,
                  measured.rate, MarkdownTable(objects), MarkdownTable(symbols));
  Say(text);
  if (options.write) WriteSection(kReport, "profile", text);
}

void StudyStart(const Options& options) {
  Series delivery{"the first delivery"};
  Series event{"the first event"};
  for (int run = 0; run < options.runs; ++run) {
    const Measured measured =
        Arena(test::ProfileName::kServers).Drain(Iq(1), Load(MixOf(options), 1000, options.users));
    delivery.values.push_back(measured.delivery_s);
    event.values.push_back(measured.event_s);
  }
  const std::string table =
      MarkdownTable({{"from the start of an iq process to", "seconds, median (min to max)"},
                     {delivery.label, Spread(delivery, "{:.2f}")},
                     {event.label, Spread(event, "{:.2f}")}});
  Say(table);
  if (options.write) WriteSection(kReport, "start", table);
}

// Milliseconds below which that part of `sorted` lies.
double Quantile(const std::vector<double>& sorted, double part) {
  return sorted.at(static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1)));
}

void StudyLatency(const Options& options) {
  constexpr int kRate = 100;
  struct Figures {
    Contender contender;
    Series p50;
    Series p99;
  };
  std::vector<Figures> all;
  for (const std::string& text : options.contenders) {
    const Contender contender = ParseContender(text);
    all.push_back({contender, {contender.Label()}, {contender.Label()}});
  }
  const Load load(MixOf(options), options.commands, options.users);
  for (int run = 1; run <= options.runs; ++run) {
    for (Figures& each : all) {
      const auto sorted = Arena(each.contender.profile).Latencies(each.contender, load, kRate);
      each.p50.values.push_back(Quantile(sorted, 0.5));
      each.p99.values.push_back(Quantile(sorted, 0.99));
      Say(fmt::format("run {}: {:28} p50 {:.2f} ms, p99 {:.2f} ms", run, each.contender.Label(),
                      each.p50.values.back(), each.p99.values.back()));
    }
  }
  std::vector<std::vector<std::string>> rows = {{"contender", "p50, ms", "p99, ms"}};
  for (const Figures& each : all) {
    rows.push_back(
        {each.contender.Label(), Spread(each.p50, "{:.2f}"), Spread(each.p99, "{:.2f}")});
  }
  const std::string table = MarkdownTable(rows);
  Say(table);
  if (options.write) WriteSection(kReport, "latency", table);
}

CLI::App* AddStudy(CLI::App& app, Options& options, const char* name, const char* what) {
  CLI::App* study = app.add_subcommand(name, what);
  study->add_option("--commands", options.commands)->capture_default_str();
  study->add_option("--users", options.users)->capture_default_str();
  study->add_option("--runs", options.runs, "Of each, in turn")->capture_default_str();
  study->add_option("--mix", options.mix)
      ->check(CLI::IsMember({"income", "mixed"}))
      ->capture_default_str();
  study->add_flag("--write", options.write, "Put the result into docs/");
  return study;
}

int Main(int argc, char** argv) {
  CLI::App app{"How fast iq is"};
  app.require_subcommand(1);
  Options options;
  std::int64_t backlog = 1'000'000;
  std::int64_t rows = 10'000'000;
  const auto add_contenders = [&options](CLI::App* study) {
    study->add_option("CONTENDERS", options.contenders, "NAME:COUNT, for instance iq:2 go:50")
        ->required();
  };
  CLI::App* rate = AddStudy(app, options, "rate", "Commands a second, from a full queue");
  add_contenders(rate);
  rate->callback([&] { StudyRate(options); });
  CLI::App* latency =
      AddStudy(app, options, "latency", "From publishing to the event, at 100 a second");
  add_contenders(latency);
  latency->callback([&] { StudyLatency(options); });
  AddStudy(app, options, "hot", "8 users against many")->callback([&] { StudyHot(options); });
  CLI::App* journal = AddStudy(app, options, "journal", "A full journal against an empty one");
  journal->add_option("--rows", rows)->capture_default_str();
  journal->callback([&] { StudyJournal(options, rows); });
  CLI::App* deep = AddStudy(app, options, "backlog", "The end of a long queue against its begin");
  deep->add_option("--backlog", backlog)->capture_default_str();
  add_contenders(deep);
  deep->callback([&] { StudyBacklog(options, backlog); });
  AddStudy(app, options, "page", "With the page open and without")->callback([&] {
    StudyPage(options);
  });
  CLI::App* search = AddStudy(app, options, "search", "Searches in a full journal");
  search->add_option("--rows", rows)->capture_default_str();
  search->callback([&] { StudySearch(options, rows); });
  AddStudy(app, options, "profile", "Where the CPU time of iq goes")->callback([&] {
    StudyProfile(options);
  });
  AddStudy(app, options, "start", "How soon a process works")->callback([&] {
    StudyStart(options);
  });
  CLI11_PARSE(app, argc, argv);
  return 0;
}

}  // namespace
}  // namespace iq::bench

int main(int argc, char** argv) {
  try {
    return iq::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
}
