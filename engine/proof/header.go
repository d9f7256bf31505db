package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// HeaderName is the HTTP header field that carries a request's proof.
const HeaderName = "Decenter-Proof"

const (
	version    = 1
	hasKey     = 1 // bits of the byte before the proof
	hasVouched = 2
	domain     = "decenter request 1\n"
	fixedSize  = 1 + len(keys.Nonce{}) + 8 + ed25519.SignatureSize + 1
	maxRaw     = fixedSize + len(keys.Fingerprint{}) + len(statement.Vouched{}) + 2 + keys.MaxChallenge + 2 + keys.MaxSignature
	// MaxHeader bounds the header field, in bytes: what the longest line and signature make of it.
	MaxHeader = (maxRaw*8 + 5) / 6
)

// An HTTP server has to let it pass among other fields.
var _ [4096 - MaxHeader]struct{}

// encoding refuses bits beyond the last byte, so that a header has one spelling.
var encoding = base64.RawURLEncoding.Strict()

// header is what the field says.
type header struct {
	nonce     keys.Nonce
	time      int64 // nanoseconds since 1970 UTC
	signature [ed25519.SignatureSize]byte
	key       keys.Fingerprint  // zero: none
	vouched   statement.Vouched // zero: none
	line      string
	signed    string // the account's signature of line
}

func (h header) proof() api.Proof {
	p := api.Proof{Line: h.line, Signature: h.signed}
	if h.key != (keys.Fingerprint{}) {
		p.Key = h.key.String()
	}
	if h.vouched != (statement.Vouched{}) {
		p.Vouched = h.vouched.String()
	}
	return p
}

func (h header) at() time.Time { return time.Unix(0, h.time).UTC() }

// append appends the field's text.
func (h header) append(b []byte) []byte {
	raw := append(make([]byte, 0, maxRaw), version)
	raw = append(raw, h.nonce[:]...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(h.time))
	raw = append(raw, h.signature[:]...)
	has := len(raw)
	raw = append(raw, 0)
	if h.key != (keys.Fingerprint{}) {
		raw[has] |= hasKey
		raw = append(raw, h.key[:]...)
	}
	if h.vouched != (statement.Vouched{}) {
		raw[has] |= hasVouched
		raw = append(raw, h.vouched[:]...)
	}
	for _, text := range []string{h.line, h.signed} {
		raw = binary.BigEndian.AppendUint16(raw, uint16(len(text)))
		raw = append(raw, text...)
	}
	return encoding.AppendEncode(b, raw)
}

// parse reads what append gives, and nothing else.
func parse(text []byte) (header, bool) {
	var h header
	if len(text) > MaxHeader {
		return header{}, false
	}
	for _, c := range text {
		if c == '\n' || c == '\r' { // which the library would skip
			return header{}, false
		}
	}
	raw, err := encoding.AppendDecode(nil, text)
	if err != nil || len(raw) < fixedSize || raw[0] != version {
		return header{}, false
	}
	raw = raw[1:]
	raw = raw[copy(h.nonce[:], raw):]
	h.time, raw = int64(binary.BigEndian.Uint64(raw)), raw[8:]
	raw = raw[copy(h.signature[:], raw):]
	has := raw[0]
	raw = raw[1:]
	if has > hasKey|hasVouched || h.time < 0 {
		return header{}, false
	}
	var ok bool
	if raw, ok = cutFixed(raw, h.key[:], has&hasKey != 0); !ok {
		return header{}, false
	}
	if raw, ok = cutFixed(raw, h.vouched[:], has&hasVouched != 0); !ok {
		return header{}, false
	}
	if h.line, raw, ok = cutText(raw, keys.MaxChallenge); !ok {
		return header{}, false
	}
	if h.signed, raw, ok = cutText(raw, keys.MaxSignature); !ok || len(raw) > 0 {
		return header{}, false
	}
	return h, true
}

// cutFixed cuts off what fills a field, where it is there; zero would be another spelling of its absence.
func cutFixed(raw, field []byte, there bool) (rest []byte, ok bool) {
	if !there {
		return raw, true
	}
	if len(raw) < len(field) {
		return nil, false
	}
	n := copy(field, raw)
	return raw[n:], slices.ContainsFunc(field, func(b byte) bool { return b != 0 })
}

// cutText cuts off a text of 1 to max characters of printable ASCII, after its length.
func cutText(raw []byte, max int) (text string, rest []byte, ok bool) {
	if len(raw) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(raw))
	raw = raw[2:]
	if n == 0 || n > max || n > len(raw) || !printable(string(raw[:n])) {
		return "", nil, false
	}
	return string(raw[:n]), raw[n:], true
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// request is what a signature is for, beside the header's own fields.
type request struct {
	to, from keys.Fingerprint // who carries it out, who asks
	method   string
	body     [sha256.Size]byte
}

// text is what the asking satellite signs. Fields that a test leaves out are those that an attack then changes.
func (q request) text(h header, without check) []byte {
	b := append(make([]byte, 0, 1024+len(h.signed)), domain...)
	add := func(c check, field []byte) {
		if without&c == 0 {
			b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
			b = append(b, field...)
		}
	}
	add(fieldTo, q.to[:])
	add(fieldFrom, q.from[:])
	add(fieldMethod, []byte(q.method))
	add(fieldBody, q.body[:])
	add(fieldProof, []byte(h.line))
	add(fieldProof, []byte(h.signed))
	if h.key == (keys.Fingerprint{}) {
		add(fieldProof, nil)
	} else {
		add(fieldProof, h.key[:])
	}
	add(fieldProof, h.vouched[:])
	add(0, h.nonce[:])
	add(0, binary.BigEndian.AppendUint64(nil, uint64(h.time)))
	return b
}
