package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// header is the part of a qcow2 image's first cluster that we act on. All numbers are big-endian.
//
//	 0      4      8               16      20      24              32      36
//	┌──────┬──────┬───────────────┬───────┬───────┬───────────────┬───────┬────
//	│QFI\xfb│versn│ backing offset│ b.size│c.bits │ size          │ crypt │ …
//	└──────┴──────┴───────────────┴───────┴───────┴───────────────┴───────┴────
//	 60            64             68      72              80
//	┌─────────────┬──────────────┬───────┬───────────────┬────
//	│ snapshots   │ their offset (64…72) │ incompatible  │ …    version 3 only from 72 on
//	└─────────────┴──────────────┴───────┴───────────────┴────
type header struct {
	version      uint32 // 2 or 3
	backing      uint64 // offset of the backing file's name; 0: none
	clusterBits  uint32 // 9 to 21
	size         uint64 // bytes the guest sees
	crypt        uint32 // 0: none
	snapshots    uint32 // internal ones
	incompatible uint64 // feature bits; 0 in version 2
}

// The standard's constants.
const (
	magic            = 0x514649fb // "QFI\xfb"
	headerV2         = 72         // bytes
	headerV3         = 104        // bytes, at least
	featureDirty     = 1 << 0
	featureCorrupt   = 1 << 1
	featureDataFile  = 1 << 2
	featureCompress  = 1 << 3 // a compression type other than deflate
	featureExtendeL2 = 1 << 4
	featuresKnown    = featureDirty | featureCorrupt | featureDataFile | featureCompress | featureExtendeL2
)

// Our own limit: no disk of a VM is larger, whatever a header says.
const maxSize = 64 << 40 // bytes

var errHeader = errors.New("not a qcow2 image")

// parseHeader reads the first bytes of an image; headerV3 of them are enough.
func parseHeader(b []byte) (header, error) {
	if len(b) < headerV2 || binary.BigEndian.Uint32(b) != magic {
		return header{}, errHeader
	}
	h := header{
		version:     binary.BigEndian.Uint32(b[4:]),
		backing:     binary.BigEndian.Uint64(b[8:]),
		clusterBits: binary.BigEndian.Uint32(b[20:]),
		size:        binary.BigEndian.Uint64(b[24:]),
		crypt:       binary.BigEndian.Uint32(b[32:]),
		snapshots:   binary.BigEndian.Uint32(b[60:]),
	}
	switch h.version {
	case 2:
	case 3:
		if len(b) < headerV3 {
			return header{}, fmt.Errorf("%w: header cut off", errHeader)
		}
		h.incompatible = binary.BigEndian.Uint64(b[72:])
	default:
		return header{}, fmt.Errorf("%w: version %d", errHeader, h.version)
	}
	if h.clusterBits < 9 || h.clusterBits > 21 {
		return header{}, fmt.Errorf("%w: clusters of 2^%d bytes", errHeader, h.clusterBits)
	}
	return h, nil
}

// append writes what parseHeader reads, everything else zero.
func (h header) append(b []byte) []byte {
	p := make([]byte, headerV3)
	if h.version == 2 {
		p = p[:headerV2]
	}
	binary.BigEndian.PutUint32(p, magic)
	binary.BigEndian.PutUint32(p[4:], h.version)
	binary.BigEndian.PutUint64(p[8:], h.backing)
	binary.BigEndian.PutUint32(p[20:], h.clusterBits)
	binary.BigEndian.PutUint64(p[24:], h.size)
	binary.BigEndian.PutUint32(p[32:], h.crypt)
	binary.BigEndian.PutUint32(p[60:], h.snapshots)
	if h.version == 3 {
		binary.BigEndian.PutUint64(p[72:], h.incompatible)
		binary.BigEndian.PutUint32(p[100:], headerV3)
	}
	return append(b, p...)
}

// refuse tells why an image with this header must not be imported.
func (h header) refuse() error {
	switch {
	case h.backing != 0:
		return errors.New("it refers to a backing file; flatten it first (qemu-img convert)")
	case h.incompatible&featureDataFile != 0:
		return errors.New("it refers to an external data file; flatten it first (qemu-img convert)")
	case h.crypt != 0:
		return errors.New("it is encrypted")
	case h.incompatible&featureCorrupt != 0:
		return errors.New("it is marked corrupt; repair it first (qemu-img check -r all)")
	case h.incompatible&^featuresKnown != 0:
		return fmt.Errorf("it has features unknown here (%#x)", h.incompatible&^featuresKnown)
	case h.size == 0 || h.size > maxSize:
		return fmt.Errorf("a disk of %d bytes is out of range", h.size)
	}
	return nil
}
