#include "tests/integration/faulty_disk.h"

#include <sqlite3.h>

#include <atomic>

namespace iq::test {
namespace {

constexpr const char* kName = "faulty";

struct Faults {
  std::atomic<int> write{SQLITE_OK};
  std::atomic<int> sync{SQLITE_OK};
  std::atomic<bool> reading_only{false};
};

Faults& TheFaults() {
  static Faults faults;
  return faults;
}

sqlite3_vfs*& Real() {
  static sqlite3_vfs* real = nullptr;
  return real;
}

// The real file's object lies right behind it.
struct File {
  sqlite3_file base;
  bool is_log;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File& Of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

// A method that only passes its arguments on.
template <auto kMethod, typename... Args>
auto Forward(sqlite3_file* file, Args... args) {
  sqlite3_file* const real = Of(file).real();
  return (real->pMethods->*kMethod)(real, args...);
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const int fault = TheFaults().write;
  if (Of(file).is_log && fault != SQLITE_OK) return fault;
  return Forward<&sqlite3_io_methods::xWrite>(file, bytes, size, offset);
}

int Sync(sqlite3_file* file, int flags) {
  const int fault = TheFaults().sync;
  if (Of(file).is_log && fault != SQLITE_OK) return fault;
  return Forward<&sqlite3_io_methods::xSync>(file, flags);
}

using M = sqlite3_io_methods;
const sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = Forward<&M::xClose>,
    .xRead = Forward<&M::xRead, void*, int, sqlite3_int64>,
    .xWrite = Write,
    .xTruncate = Forward<&M::xTruncate, sqlite3_int64>,
    .xSync = Sync,
    .xFileSize = Forward<&M::xFileSize, sqlite3_int64*>,
    .xLock = Forward<&M::xLock, int>,
    .xUnlock = Forward<&M::xUnlock, int>,
    .xCheckReservedLock = Forward<&M::xCheckReservedLock, int*>,
    .xFileControl = Forward<&M::xFileControl, int, void*>,
    .xSectorSize = Forward<&M::xSectorSize>,
    .xDeviceCharacteristics = Forward<&M::xDeviceCharacteristics>,
    .xShmMap = Forward<&M::xShmMap, int, int, int, void volatile**>,
    .xShmLock = Forward<&M::xShmLock, int, int, int>,
    .xShmBarrier = Forward<&M::xShmBarrier>,
    .xShmUnmap = Forward<&M::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int Open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  File& opened = Of(file);
  opened.base.pMethods = nullptr;
  opened.is_log = (flags & SQLITE_OPEN_WAL) != 0;
  if (TheFaults().reading_only && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
    flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
  }
  const int code = Real()->xOpen(Real(), name, opened.real(), flags, flags_out);
  if (code == SQLITE_OK) opened.base.pMethods = &kMethods;
  return code;
}

sqlite3_vfs MakeVfs() {
  sqlite3_vfs vfs = *Real();
  vfs.szOsFile += static_cast<int>(sizeof(File));
  vfs.zName = kName;
  vfs.pNext = nullptr;
  vfs.xOpen = Open;
  return vfs;
}

}  // namespace

FaultyDisk::FaultyDisk() {
  sqlite3_initialize();
  Real() = sqlite3_vfs_find("unix");
  static sqlite3_vfs vfs = MakeVfs();
  sqlite3_vfs_register(&vfs, /*makeDflt=*/1);
}

FaultyDisk::~FaultyDisk() {
  WritesAnswer(SQLITE_OK);
  SyncsAnswer(SQLITE_OK);
  OpensForReadingOnly(false);
  sqlite3_vfs_register(Real(), /*makeDflt=*/1);
}

void FaultyDisk::WritesAnswer(int code) { TheFaults().write = code; }

void FaultyDisk::SyncsAnswer(int code) { TheFaults().sync = code; }

void FaultyDisk::OpensForReadingOnly(bool only) { TheFaults().reading_only = only; }

}  // namespace iq::test
