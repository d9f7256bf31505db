// Package audit keeps one satellite's decisions: append-only, hash-chained, verifiable, bounded.
//
// # The bytes
//
// A folder holds segments, a lock and the head:
//
//	00000000000000000001.log   lines; the name is the Seq of its first entry, in 20 decimal digits
//	00000000000000004096.log
//	head                       SEQ HASH: the newest entry that was promised, 20 decimal and 64 hex digits and a line end
//	lock                       held (flock) by the one process that writes
//
// A segment is lines of JSON (RFC 8259). The first is its header, the others are entries:
//
//	{"audit":1,"satellite":NAME,"first":SEQ,"oldest":SEQ,"time":TIME,"prev":HASH,"hash":HASH}
//	{"seq":SEQ,"time":TIME,"satellite":NAME,"account":…,"via":…,"action":…,"verdict":…,"reason":…,"prev":HASH,"hash":HASH}
//
//	HASH   64 lower-case hex digits; prev and hash always are the last two members, in this spelling, without blanks
//	hash   SHA-256 (FIPS 180-4) over the line's exact bytes before `,"hash":`, so over prev too
//	prev   hash of the line before, in whichever segment it is; 64 zeros in the very first line
//	TIME   RFC 3339 in UTC
//	first  Seq of the segment's first entry
//	oldest first of the oldest segment that was still kept when this one was begun
//
// No tool of ours is needed to check a line: printf %s "${line%,\"hash\":*}" | sha256sum gives its hash.
//
// The chain goes across segments through their headers. A segment is full at a sixteenth of MaxBytes, at most 4 MiB. Before
// a segment is begun, the oldest are given up as far as all would exceed MaxBytes; the new header's oldest says so, and is
// itself chained. The chain then begins at the oldest header, whose prev still names what was before. So an oldest segment
// that somebody else removed is missed.
//
// # What the chain shows
//
// A changed, removed, inserted, swapped or repeated line or segment breaks it, as does a newest line or segment that is gone
// while head stays. Who may write the folder can make a new chain from any line on, and a head to it; what stops that is a
// Head noted elsewhere (api.AuditChain).
//
// # What is promised
//
// Append of a denial, a login or any change returns nil only once the entry is on the disk: written, and fdatasync
// returned. One writer takes all that waits in one write and one fdatasync, and begins as soon as the one before is done: an
// entry waits for at most two, with no delay added (far below 50 ms on a disk that syncs in 20). Append waits at most
// MaxWait. Then, and at once after a failed write, it returns api.CodeUnavailable: the entry stays in the queue and is
// written when the disk answers, but nothing is promised, and the caller should refuse what it was about to do. The queue holds
// MaxQueue bytes; beyond, Append refuses at once with api.CodeExhausted, the entry is not kept, and the next one that
// can be written is preceded by a record of how many were not. A disk that hangs so costs a request MaxWait and
// the satellite MaxQueue of memory, never more.
//
// A write that failed is done again, the same bytes at the same place, every second: after a failed fdatasync the kernel
// may have dropped its pages, so that syncing alone would not do.
//
// # Reads
//
// A console asks every second. Allowed reads of one account, key, via and kind of object (the object's text up to the first
// of `: @/`) within ReadWindow are one entry: its Time is the first read's, its Count how many. Until the window is over
// the count lives in memory alone, in a table of MaxReads groups (one more makes the oldest be written early); Find shows it
// with Seq 0. Close writes it; kill -9 loses at most ReadWindow of allowed reads, and nothing else. As a group is written at
// its end, Seq orders entries by when they were written, not strictly by Time.
//
// # Opening after a crash
//
//	        ┌─ nothing wrong ──────────────────────────────────► goes on in the newest segment
//	Open ───┼─ bytes behind head are not a whole chain: torn ──► cut off, goes on; a record says so
//	        └─ anything else is wrong: broken ─────────────────► nothing is touched; goes on in a new segment whose
//	                                                             header lists it, and a record says so, once
//
// head is written after fdatasync returned, so what is behind it was promised to nobody. Records of the log itself have
// Account "local", Via "engine", Action "audit"; those of a broken chain or of lost entries have Verdict deny. Open walks
// the whole log, at the speed of Verify.
package audit
