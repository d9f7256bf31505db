package statement

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"decenter/keys"
)

func TestAVoucherSpeaksForOneSatelliteAndOneDelegation(t *testing.T) {
	k, err := NewVoucherKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewVoucherKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, b := keys.Fingerprint{1}, keys.Fingerprint{2}
	said := k.Vouch("line", a)
	for what, c := range map[string]struct{ got, want bool }{
		"as it was said":       {said.By(k.Voucher(), "line", a), true},
		"of another satellite": {said.By(k.Voucher(), "line", b), false},
		"of another line":      {said.By(k.Voucher(), "lime", a), false},
		"by another name":      {said.By(other.Voucher(), "line", a), false},
		"by another key":       {other.Vouch("line", a).By(k.Voucher(), "line", a), false},
		"by nobody":            {Vouched{}.By(k.Voucher(), "line", a), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", what, c.got)
		}
	}
	// A public key that fits the name, with somebody else's signature.
	mixed := other.Vouch("line", a)
	copy(mixed[:32], said[:32])
	if mixed.By(k.Voucher(), "line", a) {
		t.Error("a signature of another key is taken")
	}
}

func TestAVoucherKeyIsReadAsItIsWrittenAndHidden(t *testing.T) {
	k, err := NewVoucherKey(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseVoucherKey(k.Text()); err != nil || again != k {
		t.Errorf("%v, %v", again, err)
	}
	said := k.Vouch("line", keys.Fingerprint{1})
	if again, err := ParseVouched(said.String()); err != nil || again != said {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", k.Text() + "A", k.Text()[1:], strings.Repeat("*", 43), k.Text()[:42] + "\n"} {
		if _, err := ParseVoucherKey(bad); err == nil {
			t.Errorf("%q is a voucher key", bad)
		}
		if _, err := ParseVouched(bad); err == nil {
			t.Errorf("%q is something vouched", bad)
		}
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(form, k); strings.Contains(text, k.Text()) || strings.Contains(text, "7, 7") || strings.Contains(text, "7 7") {
			t.Errorf("%s shows the secret: %s", form, text)
		}
	}
	if _, err := NewVoucherKey(strings.NewReader("short")); err == nil {
		t.Error("a key of too few dice")
	}
}
