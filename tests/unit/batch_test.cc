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

  const std::shared_ptr<Seat> income_ = std::make_shared<Seat>(Route{});
  const std::shared_ptr<Seat> withdraw_ = std::make_shared<Seat>(Route{});
  const std::shared_ptr<Seat> transfer_ = std::make_shared<Seat>(Route{});
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

TEST_F(GroupsTest, RandomCommandsAreDisjointWithinAGroupAndOrderedAcrossThem) {
  std::minstd_rand random(3);
  for (int i = 0; i < 300; ++i) {
    std::set<std::string> keys;
    for (auto k = random() % 3; k > 0; --k) keys.insert(std::to_string(random() % 40));
    Add({keys.begin(), keys.end()}, random() % 2 == 0 ? income_ : withdraw_);
  }
  std::map<std::string, std::size_t> last_of_key;
  std::set<std::size_t> seen;
  for (const auto& group : Groups()) {
    std::set<std::string> keys_of_group;
    for (const std::size_t index : group) {
      ASSERT_TRUE(seen.insert(index).second);
      ASSERT_EQ(items_[index].command->seat, items_[group[0]].command->seat);
      for (const std::string& key : items_[index].command->keys) {
        ASSERT_TRUE(keys_of_group.insert(key).second) << "two of a group share " << key;
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
