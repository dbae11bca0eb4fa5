// The journal's statements for SQLite, whose schema is one: iq_journal and iq_worker.
#pragma once

#include "host/store/journal_table.h"
#include "host/store/store.h"

namespace iq {

class SqliteJournal final : public JournalTable {
 public:
  explicit SqliteJournal(Session& session) : session_(session) {}

  void Check() override;
  void Ask(std::span<const std::string> uuids) override;
  std::vector<JournalRow> Answer() override;
  void Insert(std::span<const NewJournalRow> rows, const std::string& worker,
              std::int64_t batch) override;
  bool IsRepeat(const StoreError& error) const override;
  void NoteRepeats(std::span<const std::string> uuids) override;
  void NoteProgress(const WorkerRow& worker, bool in_transaction) override;
  std::optional<SilentWorker> ClaimSilentWorker(std::chrono::milliseconds silence) override;
  std::vector<JournalRow> Unconfirmed(const SilentWorker& worker, const std::string& after_uuid,
                                      std::int64_t limit) override;
  void RemoveSilentWorker(const SilentWorker& worker) override;
  void RemoveWorker(const std::string& id) override;
  std::int64_t Prune(std::chrono::milliseconds keep, std::int64_t limit) override;
  Extent Measure() override;
  std::vector<JournalRecord> Search(const JournalFilter& filter, const JournalWindow& window,
                                    std::int64_t limit) override;
  std::vector<std::string> RemoveRejected(std::span<const std::string> uuids) override;

 private:
  Session& session_;
  std::string asked_;  // A JSON array of UUIDs.
};

}  // namespace iq
