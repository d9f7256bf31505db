package frame

import "encoding/binary"

// The element types; see the package comment.
const (
	elemEnd     = 0
	elemSelf    = 1
	elemPeer    = 2
	elemOrder   = 3
	elemName    = 4
	elemDigest  = 5
	elemClaim   = 6
	elemConsent = 7
	elemKeys    = 8
	elemProof   = 9
	elemSeal    = 10
	elemAgree   = 11
	elemBridge  = 12
	elemObject  = 16
	elemAck     = 17
	elemBuckets = 18
	elemNode    = 32
	elemLink    = 33
	elemMACs    = 34
	elemEdge    = 35
	elemMoved   = 36
	elemFlags   = 37
	elemSilent  = 38
	elemLearned = 39
)

const elemHeader = 3

// repeated are the elements that may appear more than once; all known ones are below 64.
const repeated = 1<<elemObject | 1<<elemAck | 1<<elemLink

// elements walks a row of elements and calls fn for each, known or not.
func elements(b []byte, fn func(typ byte, v []byte) error) error {
	var met uint64
	for len(b) >= elemHeader && b[0] != elemEnd {
		typ, n := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if met&(1<<elemSeal) != 0 {
			return malformed("element %d after the seal", typ) // nothing would cover it
		}
		if n > len(b)-elemHeader {
			return malformed("element %d runs %d bytes past the end", typ, n-(len(b)-elemHeader))
		}
		if typ < 64 {
			if met&(1<<typ) != 0 && repeated&(1<<typ) == 0 && known(typ) {
				return malformed("element %d twice", typ)
			}
			met |= 1 << typ
		}
		if err := fn(typ, b[elemHeader:elemHeader+n]); err != nil {
			return err
		}
		b = b[elemHeader+n:]
	}
	return nil
}

func known(typ byte) bool {
	switch typ {
	case elemSelf, elemPeer, elemOrder, elemName, elemDigest, elemClaim, elemConsent,
		elemKeys, elemProof, elemSeal, elemAgree, elemBridge,
		elemObject, elemAck, elemBuckets, elemNode, elemLink, elemMACs, elemEdge, elemMoved,
		elemFlags, elemSilent, elemLearned:
		return true
	}
	return false
}

// want checks an element's length.
func want(what string, v []byte, n int) error {
	if len(v) != n {
		return malformed("%s of %d bytes, not %d", what, len(v), n)
	}
	return nil
}

func appendElem(b []byte, typ byte, n int) []byte {
	return binary.BigEndian.AppendUint16(append(b, typ), uint16(n))
}
