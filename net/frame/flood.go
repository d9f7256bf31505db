package frame

import "encoding/binary"

// The limits of link-state objects: any object fits one frame.
const (
	MaxBody      = 1400 // bytes of an object's body
	MaxLinksBody = 60   // links in one object
	MaxMACsBody  = 200  // MACs of epoch 0 in one object
	MaxMovedBody = 100  // MACs of other epochs in one object

	MaxSilentBody = 200 // silent neighbours in one object

	// Buckets is into how many parts a link-state store is divided when two stores are compared.
	Buckets = 128

	objectFixed = 18
	ackLen      = 24
	floodFixed  = OffBody - HeaderLen + elemHeader + 26 + elemHeader + 18 + elemHeader + sealLen
)

// Key names a link-state object: one piece of what one satellite tells everybody.
type Key struct {
	Origin MAC
	Index  uint16
}

// Compare orders keys by origin, then index.
func (k Key) Compare(o Key) int {
	if c := k.Origin.Compare(o.Origin); c != 0 {
		return c
	}
	return int(k.Index) - int(o.Index)
}

func (k Key) append(b []byte) []byte {
	return binary.BigEndian.AppendUint16(append(b, k.Origin[:]...), k.Index)
}

func parseKey(v []byte) Key { return Key{MAC(v[0:6]), binary.BigEndian.Uint16(v[6:])} }

// Stamp orders the versions of one object: the higher sequence wins, among equal ones the higher sum.
type Stamp struct {
	Seq uint64
	Sum uint64 // Sum of the body
}

// Compare orders stamps: -1, 0 or 1.
func (s Stamp) Compare(o Stamp) int {
	switch {
	case s.Seq < o.Seq, s.Seq == o.Seq && s.Sum < o.Sum:
		return -1
	case s == o:
		return 0
	}
	return 1
}

// Sum is FNV-1a over the body (draft-eastlake-fnv), 64 bits.
func Sum(body []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range body {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// Object is a version of a link-state object.
type Object struct {
	Key  Key
	Seq  uint64
	Age  uint16 // seconds since its origin sent it
	Body []byte // see Node
}

// Len is how many bytes the object takes in a Flood.
func (o Object) Len() int { return elemHeader + objectFixed + len(o.Body) }

// Ack says which version the sender holds. Sequence 0: it holds none. Whoever holds a later one sends it; whoever holds an
// older one, or none, may ask for it by an Ack of his own.
type Ack struct {
	Key   Key
	Stamp Stamp
}

// Flood carries link-state objects and acknowledgements over one cable, and the sums by which two stores are compared.
type Flood struct {
	Self    Self
	Peer    Peer
	Objects []Object
	Acks    []Ack
	Sums    []uint64 // of each of the Buckets of the sender's store; nil: not told
	Seal    Seal
}

// FloodRoom is how many bytes of objects and acknowledgements (AckLen each) one Flood takes, with a seal after them.
const (
	FloodRoom = MTU - floodFixed
	AckLen    = elemHeader + ackLen
	SumsLen   = elemHeader + 8*Buckets
)

// Derived limits: the fullest object fits one Flood, and so do the sums.
const (
	_ = uint(FloodRoom - elemHeader - objectFixed - MaxBody)
	_ = uint(FloodRoom - SumsLen)
)

// Append writes the whole frame. The caller keeps within FloodRoom; Sums are nil or Buckets many.
func (f *Flood) Append(b []byte, src MAC) []byte {
	b = Header{Group, src, TypeFlood}.Append(b)
	b = appendEnds(b, f.Self, f.Peer)
	for _, o := range f.Objects {
		b = appendElem(b, elemObject, objectFixed+len(o.Body))
		b = o.Key.append(b)
		b = binary.BigEndian.AppendUint64(b, o.Seq)
		b = binary.BigEndian.AppendUint16(b, o.Age)
		b = append(b, o.Body...)
	}
	for _, a := range f.Acks {
		b = a.Key.append(appendElem(b, elemAck, ackLen))
		b = binary.BigEndian.AppendUint64(b, a.Stamp.Seq)
		b = binary.BigEndian.AppendUint64(b, a.Stamp.Sum)
	}
	if f.Sums != nil {
		b = appendElem(b, elemBuckets, 8*len(f.Sums))
		for _, s := range f.Sums {
			b = binary.BigEndian.AppendUint64(b, s)
		}
	}
	return f.Seal.append(b)
}

// ParseFlood reads a Flood's body. The objects' bodies alias it.
func ParseFlood(body []byte) (Flood, error) {
	var f Flood
	err := elements(body, func(typ byte, v []byte) (err error) {
		switch typ {
		case elemSelf:
			f.Self, err = parseSelf(v)
		case elemPeer:
			f.Peer, err = parsePeer(v)
		case elemSeal:
			f.Seal, err = parseSeal(v)
		case elemObject:
			if len(v) < objectFixed || len(v) > objectFixed+MaxBody {
				return malformed("object of %d bytes", len(v))
			}
			f.Objects = append(f.Objects, Object{Key: parseKey(v), Seq: binary.BigEndian.Uint64(v[8:]),
				Age: binary.BigEndian.Uint16(v[16:]), Body: v[objectFixed:]})
		case elemAck:
			if err = want("ack", v, ackLen); err == nil {
				f.Acks = append(f.Acks, Ack{parseKey(v), Stamp{binary.BigEndian.Uint64(v[8:]), binary.BigEndian.Uint64(v[16:])}})
			}
		case elemBuckets:
			if err = want("buckets", v, 8*Buckets); err == nil {
				for ; len(v) > 0; v = v[8:] {
					f.Sums = append(f.Sums, binary.BigEndian.Uint64(v))
				}
			}
		}
		return err
	})
	switch {
	case err != nil:
		return Flood{}, err
	case f.Self.Session == 0:
		return Flood{}, malformed("flood without self")
	}
	return f, nil
}
