// Package frame holds the wire formats of the satellite tree: the control frames that two satellites at the
// two ends of one cable exchange. It parses and appends; it keeps no state and decides nothing.
//
// # Ethernet
//
// Control frames are untagged Ethernet II frames (IEEE 802.3 clause 3.2.6) of EtherType 0x88B5, the first of
// the two EtherTypes that IEEE 802 (clause 9.2.4) keeps for local experiments. Hello and Flood go to
// 01-80-C2-00-00-0E, the nearest-bridge group address, which no kind of bridge forwards (IEEE 802.1Q-2018,
// Table 8-1 to 8-3): what arrives was sent by the other end of the cable. EchoRequest goes to the unicast
// address of the neighbour's port, so that its answer, with the two addresses swapped, is a lawful frame too; or to that
// group, to ask whether any satellite's data path is there.
//
//	 0              6              12      14      15      16
//	+--------------+--------------+-------+-------+-------+-----------------
//	| destination  | source: port | 88 B5 | ver 1 | type  | body
//	+--------------+--------------+-------+-------+-------+-----------------
//
// All numbers are big-endian. The payload never exceeds 1500 bytes. A frame of another version is refused.
//
// # Echo
//
// The neighbour's DATA PATH answers an EchoRequest, not its engine: it swaps destination and source, writes
// EchoReply at byte 15 and sends the frame out of the port it came from. Nothing else changes; the body is the
// asker's own. What was asked of the group is answered from the port's own address, or from the group's without its group
// bit. The constants OffType, TypeEchoRequest and TypeEchoReply are what a C program mirrors.
//
//	 0              6              12      14   15       16        24        32
//	+--------------+--------------+-------+----+--------+---------+---------+
//	| port of B    | port of A    | 88 B5 | 01 | 03     | session | serial  |  A asks
//	+--------------+--------------+-------+----+--------+---------+---------+
//	| port of A    | port of B    | 88 B5 | 01 | 04     | session | serial  |  B's data path answers
//	+--------------+--------------+-------+----+--------+---------+---------+
//
// # Hello and Flood
//
// Their body is a row of elements: type (1), length (2), value (length). Type 0, or fewer than three bytes, ends
// the row: so the padding of short frames is no error. Unknown types are skipped, so that later versions may
// add some. A known element of a wrong length, or one that may appear once and appears twice, makes the
// frame malformed.
//
//	type  in     element   value
//	1     H F    self      id 6, port 4, instance 8, session 8
//	2     H F    peer      id 6, port 4, session 8: whom the sender hears on this port; absent: nobody
//	3     H      order     sequence 8, acknowledged 8, flags 1 (bit 0: answer me, 1: joined)
//	4     H N    name      0 to 63 bytes of UTF-8
//	5     H      digest    8, over the sender's whole link-state store; absent: not told
//	6     H      claim     number 8, then nothing, or the vector 22 under which the sender wants to be child
//	7     H      consent   seen 8 (the highest claim number heard), granted 8 (0: none)
//	8     H      keys      public 32 (ed25519), ephemeral 32 (X25519), nonce 8
//	9     H      proof     for whom: id 6, port 4, session 8; signature 64 (ed25519)
//	10    H F    seal      number 8, tag 16: over the whole frame up to the tag; nothing but padding follows
//	11    H      agree     version 8, serial 8, acknowledged 8, flags 1 (bit 0: detours are ready)
//	12    H      bridge    id 8 of the one bridge that all edge ports are; absent: there are none
//	16    F      object    origin 6, index 2, sequence 8, age 2 in seconds, body up to 1400: elements again
//	17    F      ack       origin 6, index 2, sequence 8 (0: the sender has none), sum 8
//	18    F      buckets   8 each, 128 of them: sums of the parts of the sender's link-state store
//	32    N      node      priority 2, generation 4, parent 6, parent port 4
//	33    N      link      neighbour 6, own port 4, neighbour's port 4, cost 4
//	34    N      macs      6 each, 0 to 200 of them
//	35    N      edge      75 or more: an Edge
//	36    N      moved     6, epoch 4 each, 1 to 100 of them: MACs that another satellite was home to before
//	37    N      flags     1 (bit 0: has edge ports in use)
//	38    N      silent    6 each, 0 to 200 of them: neighbours whose engine says nothing
//	39    N      learned   nothing: the body's macs and moved were learned at edges; absent: they are guests'
//
// (H: in a Hello, F: in a Flood, N: in an object's body.) A vector is root priority 2, root id 6, distance 8,
// own id 6, in this order of weight.
//
// What the fields mean and when they are sent is told in package tree. A Hello with all of them, name and all, has 441
// bytes; one of an adjacency that has settled has 356 at most, 75 of them the keys and 27 the seal.
//
// # Frames of others
//
// Any frame's header can be read and said (Ethernet): up to three tags of four bytes stand between the source and the
// EtherType, each a TPID (8100, 88A8 or 9100) and a TCI. A value of at most 1500 in place of the EtherType is the length
// of what follows, which then begins with an LLC header (IEEE 802.2).
//
//	 0              6         12      14     16      18     20
//	+--------------+---------+-------+------+-------+------+-------+--------
//	| destination  | source  | 88 A8 | TCI  | 81 00 | TCI  | type  | payload     two tags
//	+--------------+---------+-------+------+-------+------+-------+--------
//
// # BPDUs
//
// The bridge protocol data units of IEEE 802.1D-2004 clause 9 are spoken with bridges that are no satellites; see package
// rstp. They are untagged and go to 01-80-C2-00-00-00. All numbers are big-endian; times are in 1/256 s.
//
//	 0                6         12       14         17
//	+----------------+---------+--------+----------+----------
//	| 01 80 C2 00 .. | source  | length | 42 42 03 | BPDU          padded to 60 bytes
//	+----------------+---------+--------+----------+----------
//
//	 0       2      3      4       5      13     17       25     27    29    31      33      35     36
//	+-------+------+------+-------+------+------+--------+------+-----+-----+-------+-------+------+
//	| 00 00 | vers | type | flags | root | cost | bridge | port | age | max | hello | delay | 00   |
//	+-------+------+------+-------+------+------+--------+------+-----+-----+-------+-------+------+
//	  TCN     0      80   ends here
//	  config  0      00     TC bit 0, TC acknowledgement bit 7                      ends here
//	  RST     2      02     TC 0, proposal 1, role 2-3, learning 4, forwarding 5, agreement 6        version 1 length: 0
//	  MST     3+     02     as RST, then more, which is ignored
//
// Roles: 0 unknown, 1 alternate or backup, 2 root, 3 designated.
package frame
