package frame

import "encoding/binary"

// EdgeLen is the length of an Edge in bytes; later versions may append to it.
const EdgeLen = 75

const (
	edgeClaim  = 1 << 0
	edgeSync   = 1 << 1
	edgeSynced = 1 << 2
)

// Edge is what a satellite tells all others of its legacy edge, within its link state; see package rstp for what it
// means. It is one row of bytes, big-endian:
//
//	 0        8          16      17      25     33     37       45     47    49    51      53      55   57       61      67      75
//	+--------+----------+-------+-------+------+------+--------+------+-----+-----+-------+-------+----+--------+-------+-------+
//	| bridge | changes  | flags | claim | root | cost | bridge | port | age | max | hello | delay | at | atport | to    | claim |
//	+--------+----------+-------+-------+------+------+--------+------+-----+-----+-------+-------+----+--------+-------+-------+
//	                            | claim: number, vector, times, receiving port                          | consent               |
//
// Bit 0 of the flags: there is a claim; bit 1: it wants sync; bit 2: the consent is for sync too. Times are Ticks.
type Edge struct {
	Bridge  BridgeID // the id that the constellation's bridge has, as the satellite knows it
	Changes uint64   // another number than before: a topology change happened
	Claim   EdgeClaim
	Consent EdgeConsent
}

// EdgeClaim is the best way to a root outside that the satellite's edges heard of. The zero claim is none.
type EdgeClaim struct {
	Valid  bool
	Sync   bool   // the others are to be in sync, not only without a recent root port
	Number uint64 // never the same for two claims of one satellite
	Root   BridgeID
	Cost   uint32 // of the path, the receiving port's included
	Bridge BridgeID
	Port   uint16
	Age    Ticks
	Max    Ticks
	Hello  Ticks
	Delay  Ticks
	At     uint16 // the receiving port's id
	AtPort uint32 // and its number at the satellite, should ids be equal
}

// EdgeConsent says that the satellite's edges made way for a claim. The zero consent is none.
type EdgeConsent struct {
	Satellite MAC
	Number    uint64
	Synced    bool
}

// Append writes the row.
func (e *Edge) Append(b []byte) []byte {
	c := &e.Claim
	b = binary.BigEndian.AppendUint64(b, uint64(e.Bridge))
	b = binary.BigEndian.AppendUint64(b, e.Changes)
	b = append(b, b2u(c.Valid)*edgeClaim|b2u(c.Sync)*edgeSync|b2u(e.Consent.Synced)*edgeSynced)
	b = binary.BigEndian.AppendUint64(b, c.Number)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Root))
	b = binary.BigEndian.AppendUint32(b, c.Cost)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Bridge))
	for _, v := range [...]uint16{c.Port, uint16(c.Age), uint16(c.Max), uint16(c.Hello), uint16(c.Delay), c.At} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, c.AtPort)
	b = append(b, e.Consent.Satellite[:]...)
	return binary.BigEndian.AppendUint64(b, e.Consent.Number)
}

// ParseEdge reads a row; what follows its EdgeLen bytes is ignored.
func ParseEdge(b []byte) (Edge, error) {
	if len(b) < EdgeLen {
		return Edge{}, malformed("edge of %d bytes, not %d", len(b), EdgeLen)
	}
	u16, u64 := binary.BigEndian.Uint16, binary.BigEndian.Uint64
	e := Edge{Bridge: BridgeID(u64(b)), Changes: u64(b[8:]),
		Consent: EdgeConsent{MAC(b[61:67]), u64(b[67:]), b[16]&edgeSynced != 0}}
	e.Claim = EdgeClaim{Valid: b[16]&edgeClaim != 0, Sync: b[16]&edgeSync != 0, Number: u64(b[17:]),
		Root: BridgeID(u64(b[25:])), Cost: binary.BigEndian.Uint32(b[33:]), Bridge: BridgeID(u64(b[37:])), Port: u16(b[45:]),
		Age: Ticks(u16(b[47:])), Max: Ticks(u16(b[49:])), Hello: Ticks(u16(b[51:])), Delay: Ticks(u16(b[53:])),
		At: u16(b[55:]), AtPort: binary.BigEndian.Uint32(b[57:])}
	return e, nil
}
