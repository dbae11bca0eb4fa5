// An installation of iq that runs the model's bank, and the comparison of what became of it with
// the model.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/bank_model.h"
#include "tests/e2e/installation.h"

namespace iq::test {

// The value of IQ_SEED, or a random one; printed.
std::uint64_t Seed();

class Bank {
 public:
  // What tests of the bank need changed: so many attempts that the locks of killed hosts, which
  // last for 4 s, never bring a command to billing.dead as lock_busy.
  static InstallationOptions Options();

  explicit Bank(std::uint64_t seed);

  Installation& iq() { return iq_; }

  // The three below may be called by one thread while another uses iq() and the rest.

  // Publishes `count` more commands and some of them again; outlives the broker's death, after
  // which all that was not confirmed is published once more.
  void Publish(std::size_t count);
  std::size_t published() const { return model_.commands().size(); }
  // Conservation of money, and log and journal in step, as one snapshot shows them.
  void ExpectConsistentSnapshot();

  // How many commands are in the journal. Waits for a database that is just starting.
  std::size_t Journalled();
  bool AllJournalled() { return Journalled() == model_.valid_count(); }

  // Once all queues are empty: every trace of every command is as the model wants it.
  void ExpectEverythingInOrder();

 private:
  struct Decision {
    const BankCommand* command;
    std::string code;  // "" for done.
  };

  void ReadJournal();
  void ExpectBooks();
  void ExpectHolds(const BankBooks& books);
  void ExpectDeadLetters();
  void ExpectEvents();
  // Takes all that waits in `queue`.
  std::vector<AmqpDelivery> TakeAll(const std::string& queue);
  void TakeEvents();
  // The balances that events tell follow from each other, account by account.
  void ExpectOneHistory();
  void ExpectNoTransactionLeft();

  BankModel model_;
  Installation iq_;
  std::unique_ptr<TestBroker> publisher_;
  // Connects when all is over: whatever happened to the broker, it is there.
  std::unique_ptr<TestBroker> observer_;
  std::unique_ptr<TestStore> snapshots_;
  std::map<std::string, Decision> decisions_;   // By command id: those in the journal.
  std::map<std::string, AmqpDelivery> events_;  // By event id.
  std::vector<std::string> unlike_copies_;
  std::size_t event_copies_ = 0;
};

}  // namespace iq::test
