// One worker: a thread with its own connections that turns the loop of receive, decode, lock, run,
// publish and settle.
//
// Killed anywhere in it, nothing is lost: what is not acked comes again, and the journal tells what
// of it had taken effect.
#pragma once

#include <atomic>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/answers.h"
#include "host/batch.h"
#include "host/broker/broker.h"
#include "host/bus.h"
#include "host/command_traces.h"
#include "host/config.h"
#include "host/flight_recorder.h"
#include "host/idle_memory.h"
#include "host/journal.h"
#include "host/locks/locks.h"
#include "host/plugin_directory.h"
#include "host/repeat_notes.h"
#include "host/services.h"
#include "host/settlement.h"
#include "host/store/store.h"
#include "host/suspect_turns.h"
#include "host/suspects.h"
#include "host/trace/span_exporter.h"
#include "host/worker_state.h"

namespace iq {

// Everything a worker borrows; must outlive it.
struct WorkerSurroundings {
  const Config& config;
  const ConsumerConfig& consumer;
  const PluginDirectory& plugins;
  Broker& broker;
  Store& store;
  LockService& locks;
  WallClock clock = std::chrono::system_clock::now;
  FlightRecorder* recorder = nullptr;  // Without it no crash is traced to its command.
  std::string listener{};              // Whose events are in the consumer's queue; empty: commands.
  SpanExporter* spans = nullptr;       // Without it there are none.
};

class Worker {
 public:
  explicit Worker(const WorkerSurroundings& surroundings);

  // The loop, until `stop` is set: then it takes no more, finishes and settles the batch in hand,
  // gives the rest back and returns. Call on the worker's own thread, once.
  void Run(const std::atomic<bool>& stop);

 private:
  using Clock = std::chrono::steady_clock;

  // A command that is received and not decided.
  struct InHand {
    Item item;
    Clock::time_point busy_since{};      // When its lock was first found taken.
    std::optional<Suspicion> suspicion;  // A process has died with it: it runs alone.
    bool in_doubt = false;               // Its own commit may stand.
  };

  void Turn();
  void Receive();
  void Take(Delivery delivery);
  void Admit(InHand& taken);
  void DropStale();
  bool AwaitCompany();
  void Decide();

  std::unique_ptr<RunGate::Pass> EnterGate(bool alone) const;
  std::vector<InHand*> Candidates();
  std::vector<InHand*> TakeTurns(InHand* suspect, std::vector<InHand*> others);
  std::vector<InHand*> TakeLocks(const std::vector<InHand*>& candidates);
  bool AskJournal(const std::vector<InHand*>& candidates);
  static void JudgeRepeats(std::span<Item* const> items,
                           const std::map<std::string, JournalEntry>& known);
  void RunInHand();
  void StartRelease();
  void FinishRelease();
  void GiveUpWaiting();

  void SettleDecided();
  void SettleVerdict(const InHand& decided);
  void SettleRefused(const Refusal& refusal, Clock::time_point received_at);

  void Collect(std::chrono::milliseconds wait,
               Settlement::Acks acks = Settlement::Acks::kInCompany);
  void TakeNewIdentity();
  void NoteProgressWhenIdle();
  void Pause(const std::string& reason);
  void NoteState();
  void Drain();

  const Config& config_;
  const ConsumerConfig& consumer_config_;
  const std::string listener_;
  FlightRecorder* const recorder_;
  const std::shared_ptr<FlightSlot> slot_;
  Suspects suspects_;
  SuspectTurns suspect_turns_{suspects_};
  Bus bus_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Locks> locks_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Consumer> consumer_;
  Settlement settlement_;
  Answers answers_;
  CommandTraces traces_;
  WorkerState state_;
  Journal journal_;
  RepeatNotes repeat_notes_{journal_};
  WorkerIdentity identity_ = WorkerIdentity::New();
  Batch batch_;
  std::list<InHand> in_hand_;  // In order of arrival.
  Clock::time_point paused_until_{};
  Clock::time_point progress_noted_at_{};
  IdleMemory idle_memory_;
  Clock::time_point alone_since_{};  // That the commands in hand wait for more of them.
  bool waiting_for_locks_ = false;   // Nothing in hand could run in the last turn.
  bool locks_held_ = false;
};

}  // namespace iq
