// A disk that fails when a test wants it to: a layer between SQLite and the file system.
#pragma once

namespace iq::test {

// While it lives, files that are opened in this process go through it; there may be one at a time.
// Files that were opened through it must be closed before it ends.
class FaultyDisk {
 public:
  FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
  ~FaultyDisk();

  // What a write to, and a sync of, a write-ahead log answers from now on: a result code of SQLite,
  // or 0 for what the real one answers. A write that fails has written nothing.
  void WritesAnswer(int code);
  void SyncsAnswer(int code);

  // Whether databases are opened for reading only, as those are whose permissions say so.
  void OpensForReadingOnly(bool only);
};

}  // namespace iq::test
