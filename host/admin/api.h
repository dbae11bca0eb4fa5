// What the routes of the page's API share (docs/api.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace iq {

// What is answered instead, with its status.
class ApiError : public std::runtime_error {
 public:
  ApiError(int status, const std::string& what) : std::runtime_error(what), status_(status) {}

  static constexpr int kWrong = 400;
  static constexpr int kUnknownVisitor = 401;
  static constexpr int kForbidden = 403;
  static constexpr int kNothingThere = 404;
  static constexpr int kDoesNotFit = 409;
  static constexpr int kTooLarge = 413;
  static constexpr int kTooMany = 429;
  static constexpr int kUnavailable = 503;

  int status() const { return status_; }

 private:
  int status_;
};

// A request that was let in. Every function throws ApiError where what was sent is wrong.
struct ApiRequest {
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  std::multimap<std::string, std::string> query;
  nlohmann::json body = nlohmann::json::object();  // Of a POST.
  std::string path_part;                           // What the route leaves open: an id.
  std::string who;                                 // The token's name; empty without one.
  bool may_write = false;

  // Of the query; empty where it is missing.
  std::string Text(const std::string& name) const;
  std::vector<std::string> Texts(const std::string& name) const;
  std::optional<Time> Moment(const std::string& name) const;
  // From 1 to `most`.
  std::int64_t Limit(std::int64_t usual, std::int64_t most) const;

  // Of the body; empty where it is missing.
  std::string BodyText(const std::string& name) const;
  bool BodyTruth(const std::string& name) const;

  void RequireMayWrite() const;
};

// Texts of an array, none where it is missing. Throws ApiError.
std::vector<std::string> TextsIn(const nlohmann::json& object, const std::string& name);

// The time that `text` says, nothing where it is empty. Throws ApiError that names the field.
std::optional<ApiRequest::Time> ParseMoment(const std::string& name, const std::string& text);

// Null where it is empty.
nlohmann::ordered_json TextOrNull(const std::string& text);

}  // namespace iq
