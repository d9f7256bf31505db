package frame

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sampleTag(covered []byte) (t [SealTagLen]byte) {
	t[0], t[15] = byte(len(covered)), byte(Sum(covered))
	return t
}

func fullHello() Hello {
	h := sampleHello()
	h.Name = strings.Repeat("n", MaxName)
	h.Agree, h.Bridge, h.Joined = Agree{1, 2, 3, true}, 5, true
	h.Keys = Keys{[32]byte{1, 2}, [32]byte{3, 4}, 5}
	h.Proof = Proof{Peer{macB, 9, 0x77}, [64]byte{6, 63: 7}}
	return h
}

func TestASealCoversAllButItself(t *testing.T) {
	h := fullHello()
	plain := h.Append(nil, macA)
	b := AppendSeal(bytes.Clone(plain), 9, sampleTag)
	covered, sealed := Covered(append(bytes.Clone(b), 0, 0, 0, 0, 0))
	if !sealed || !bytes.Equal(covered, b[:len(b)-SealTagLen]) || !bytes.HasPrefix(covered, plain) {
		t.Fatalf("covers %d of %d bytes", len(covered), len(b))
	}
	got, err := ParseHello(b[OffBody:])
	h.Seal = Seal{9, sampleTag(covered)}
	if err != nil || !reflect.DeepEqual(got, h) || !bytes.Equal(got.Append(nil, macA), b) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(b) != 441 {
		t.Errorf("the fullest Hello has %d bytes; the package comment tells another number", len(b))
	}
	if _, sealed := Covered(plain); sealed {
		t.Error("a seal where there is none")
	}
}

// What stands behind the seal is covered by nothing: whoever could put a claim there could speak for the sender.
func TestNothingFollowsASeal(t *testing.T) {
	h, f := sampleHello(), sampleFlood()
	for _, b := range [][]byte{h.Append(nil, macA), f.Append(nil, macA)} {
		b = AppendSeal(b, 9, sampleTag)
		for name, more := range map[string][]byte{"an ack": make([]byte, 0), "unknown": {99, 0, 1, 0}, "another": AppendSeal(nil, 1, sampleTag)} {
			if name == "an ack" {
				more = append([]byte{elemAck, 0, ackLen}, make([]byte, ackLen)...)
			}
			long := append(bytes.Clone(b), more...)
			_, err := ParseHello(long[OffBody:])
			if b[OffType] == byte(TypeFlood) {
				_, err = ParseFlood(long[OffBody:])
			}
			if _, sealed := Covered(long); !errors.Is(err, ErrMalformed) || sealed {
				t.Errorf("%s behind the seal: %v", name, err)
			}
		}
	}
}

func TestKeysOfAWrongLengthAreRefused(t *testing.T) {
	b := fullHello()
	row := b.Append(nil, macA)[OffBody:]
	for typ, n := range map[byte]int{elemKeys: keysLen, elemProof: proofLen, elemSeal: sealLen} {
		for _, wrong := range []int{0, n - 1, n + 1} {
			elem := append(appendElem(nil, typ, wrong), make([]byte, wrong)...)
			if _, err := ParseHello(append(elem, row...)); !errors.Is(err, ErrMalformed) {
				t.Errorf("element %d of %d bytes: %v", typ, wrong, err)
			}
		}
	}
}
