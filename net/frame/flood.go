package frame

import "encoding/binary"

// The limits of link-state objects: any object fits one frame.
const (
	MaxBody      = 1400 // bytes of an object's body
	MaxLinksBody = 60   // links in one object
	MaxMACsBody  = 200  // MACs in one object

	objectFixed = 17
	ackLen      = 23
	floodFixed  = OffBody - HeaderLen + elemHeader + 26 + elemHeader + 18 + elemHeader + sealLen
)

// Key names a link-state object: one piece of what one satellite tells everybody.
type Key struct {
	Origin MAC
	Index  uint8
}

// Compare orders keys by origin, then index.
func (k Key) Compare(o Key) int {
	if c := k.Origin.Compare(o.Origin); c != 0 {
		return c
	}
	return int(k.Index) - int(o.Index)
}

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

// Ack says that the sender holds this version or a later one.
type Ack struct {
	Key   Key
	Stamp Stamp
}

// Flood carries link-state objects and acknowledgements over one cable.
type Flood struct {
	Self    Self
	Peer    Peer
	Objects []Object
	Acks    []Ack
	Seal    Seal
}

// FloodRoom is how many bytes of objects and acknowledgements (AckLen each) one Flood takes, with a seal after them.
const (
	FloodRoom = MTU - floodFixed
	AckLen    = elemHeader + ackLen
)

// Derived limit: the fullest object fits one Flood.
const _ = uint(FloodRoom - elemHeader - objectFixed - MaxBody)

// Append writes the whole frame. The caller keeps within FloodRoom.
func (f *Flood) Append(b []byte, src MAC) []byte {
	b = Header{Group, src, TypeFlood}.Append(b)
	b = appendEnds(b, f.Self, f.Peer)
	for _, o := range f.Objects {
		b = appendElem(b, elemObject, objectFixed+len(o.Body))
		b = append(append(b, o.Key.Origin[:]...), o.Key.Index)
		b = binary.BigEndian.AppendUint64(b, o.Seq)
		b = binary.BigEndian.AppendUint16(b, o.Age)
		b = append(b, o.Body...)
	}
	for _, a := range f.Acks {
		b = append(appendElem(b, elemAck, ackLen), a.Key.Origin[:]...)
		b = append(b, a.Key.Index)
		b = binary.BigEndian.AppendUint64(b, a.Stamp.Seq)
		b = binary.BigEndian.AppendUint64(b, a.Stamp.Sum)
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
			f.Objects = append(f.Objects, Object{Key: Key{MAC(v[0:6]), v[6]}, Seq: binary.BigEndian.Uint64(v[7:]),
				Age: binary.BigEndian.Uint16(v[15:]), Body: v[objectFixed:]})
		case elemAck:
			if err = want("ack", v, ackLen); err == nil {
				f.Acks = append(f.Acks, Ack{Key{MAC(v[0:6]), v[6]},
					Stamp{binary.BigEndian.Uint64(v[7:]), binary.BigEndian.Uint64(v[15:])}})
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
