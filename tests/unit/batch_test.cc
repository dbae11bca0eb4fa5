#include "host/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

namespace iq {
namespace {

using testing::ElementsAre;

constexpr iq_command_type kDisjoint{};

constexpr iq_command_type Sharing() {
  iq_command_type type{};
  type.flags = IQ_BATCH_SHARES_KEYS;
  type.handle_batch = [](void*, const iq_command* const*, iq_context* const*, iq_outcome*,
                         std::uint32_t) { return iq_outcome{IQ_DONE}; };
  return type;
}
constexpr iq_command_type kSharing = Sharing();

std::shared_ptr<Seat> NewSeat(const iq_command_type& type) {
  return std::make_shared<Seat>(Route{.plugin = nullptr, .type = &type});
}

class GroupsTest : public testing::Test {
 protected:
  void Add(LockKeys keys, const std::shared_ptr<Seat>& seat) {
    Item& item = items_.emplace_back();
    item.command = std::make_unique<Command>(Payload::Parse("{}"));
    item.command->keys = std::move(keys);
    item.command->seat = seat;
  }
  std::vector<std::vector<std::size_t>> Groups() {
    pointers_.clear();
    for (Item& item : items_) pointers_.push_back(&item);
    return Batch::Groups(pointers_);
  }

  const std::shared_ptr<Seat> income_ = NewSeat(kDisjoint);
  const std::shared_ptr<Seat> withdraw_ = NewSeat(kDisjoint);
  const std::shared_ptr<Seat> transfer_ = NewSeat(kDisjoint);
  const std::shared_ptr<Seat> sharing_ = NewSeat(kSharing);
  std::deque<Item> items_;
  std::vector<Item*> pointers_;
};

TEST_F(GroupsTest, DisjointCommandsOfAHandlerAreOneGroup) {
  Add({"a"}, income_);
  Add({"b"}, income_);
  Add({}, income_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0, 1, 2)));
}

TEST_F(GroupsTest, EachHandlerHasItsOwn) {
  Add({"a"}, income_);
  Add({"b"}, withdraw_);
  Add({"c"}, income_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0, 2), ElementsAre(1)));
}

TEST_F(GroupsTest, ACommonKeyKeepsTheOrderOfArrival) {
  Add({"a"}, income_);
  Add({"a", "b"}, income_);
  Add({"b"}, income_);
  Add({"c"}, income_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0, 3), ElementsAre(1), ElementsAre(2)));
}

TEST_F(GroupsTest, WhatOthersWaitForRunsSooner) {
  Add({"x"}, transfer_);
  Add({"a"}, income_);
  Add({"b"}, income_);
  Add({"c"}, withdraw_);
  Add({"c"}, income_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0), ElementsAre(3), ElementsAre(1, 2, 4)));
}

TEST_F(GroupsTest, OfChainsAlikeTheHandlerWithMoreOfThemRunsSooner) {
  Add({"x"}, transfer_);
  Add({"a"}, income_);
  Add({"b"}, withdraw_);
  Add({"c"}, withdraw_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0), ElementsAre(2, 3), ElementsAre(1)));
}

// Or it could wait for ever, where a turn always ends before its group.
TEST_F(GroupsTest, TheOldestIsInTheFirstGroupThoughOthersHaveLongerChains) {
  Add({"a"}, income_);
  Add({"b"}, withdraw_);
  Add({"b"}, withdraw_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(2)));
}

TEST_F(GroupsTest, ACommonKeyIsNoReasonToPartWhereTheBatchEntryTakesIt) {
  Add({"a"}, sharing_);
  Add({"a", "b"}, sharing_);
  Add({"b"}, sharing_);
  Add({"b"}, income_);
  Add({"b"}, sharing_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3), ElementsAre(4)));
}

TEST_F(GroupsTest, WhatSharesAKeyWithAnotherHandlersToo) {
  Add({"a"}, sharing_);
  Add({"b"}, income_);
  Add({"a", "b"}, sharing_);
  Add({"a"}, sharing_);
  EXPECT_THAT(Groups(), ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(2, 3)));
}

TEST_F(GroupsTest, AChainIsAsLongAsItsGroupsAreMany) {
  Add({"x"}, transfer_);
  for (int i = 0; i < 3; ++i) Add({"a"}, sharing_);
  Add({"b"}, withdraw_);
  Add({"b"}, income_);
  EXPECT_THAT(Groups(),
              ElementsAre(ElementsAre(0), ElementsAre(4), ElementsAre(1, 2, 3), ElementsAre(5)));
}

TEST_F(GroupsTest, RandomCommandsAreDisjointWithinAGroupAndOrderedAcrossThem) {
  std::minstd_rand random(3);
  for (int i = 0; i < 300; ++i) {
    std::set<std::string> keys;
    for (auto k = random() % 3; k > 0; --k) keys.insert(std::to_string(random() % 40));
    Add({keys.begin(), keys.end()}, random() % 2 == 0 ? income_ : sharing_);
  }
  std::map<std::string, std::size_t> last_of_key;
  std::set<std::size_t> seen;
  for (const auto& group : Groups()) {
    std::set<std::string> keys_of_group;
    for (const std::size_t index : group) {
      ASSERT_TRUE(seen.insert(index).second);
      ASSERT_EQ(items_[index].command->seat, items_[group[0]].command->seat);
      for (const std::string& key : items_[index].command->keys) {
        const bool alone = keys_of_group.insert(key).second;
        ASSERT_TRUE(alone || items_[index].command->seat == sharing_) << "two share " << key;
        const auto before = last_of_key.find(key);
        ASSERT_TRUE(before == last_of_key.end() || before->second < index);
        last_of_key[key] = index;
      }
    }
  }
  EXPECT_EQ(seen.size(), items_.size());
}

}  // namespace
}  // namespace iq
