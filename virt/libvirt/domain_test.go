package libvirt

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"decenter/virt"
)

func spec() virt.Spec {
	return virt.Spec{
		ID: virt.ID{0xde, 0xce, 6: 0x40, 8: 0x80, 15: 1}, Name: "web-1", Owner: "bc1qexample", From: "tiny", Group: `a "b" <c> & d`,
		Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Epoch: 7, CPU: 2, Memory: 192 << 20, RAM: virt.RAMShared, Accel: virt.TCG,
		Disks: []virt.Disk{{Name: "vda", Path: "/v/1/vda.qcow2", Format: virt.QCOW2}, {Name: "vdb", Path: "/v/1/vdb.img", Format: virt.Raw}},
		NICs:  []virt.NIC{{MAC: "02:00:00:0a:1b:2c", Tap: "dc0"}},
	}
}

func TestTheDomainHoldsTheWholeTruth(t *testing.T) {
	for _, accel := range []virt.Accel{virt.TCG, virt.KVM} {
		s := spec()
		s.Accel = accel
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		text, err := encode(s, layout{dir: "/run/d"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := decode(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(e.spec, s) {
			t.Errorf("came back as\n%+v\nfrom\n%+v", e.spec, s)
		}
	}
}

func TestADomainOfOthersIsForeign(t *testing.T) {
	text, err := encode(spec(), layout{dir: "/run/d"})
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]string{
		"another's metadata": strings.ReplaceAll(text, Namespace, "urn:somebody:else"),
		"a later version":    strings.ReplaceAll(text, Namespace, "urn:decenter:vm:2"),
		"no metadata":        text[:strings.Index(text, "<metadata>")] + text[strings.Index(text, "</metadata>")+len("</metadata>"):],
	} {
		if _, err := decode(other); !errors.Is(err, errForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	beside := strings.Replace(text, "<metadata>", `<metadata><x:y xmlns:x="urn:somebody:else"/>`, 1)
	if _, err := decode(beside); err != nil {
		t.Errorf("somebody's metadata beside ours: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	text, err := encode(spec(), layout{dir: "/run/d"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(`<domain><metadata><vm xmlns="urn:decenter:vm:1"/></metadata></domain>`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := decode(text)
		if err != nil || e.spec.Check() != nil {
			return
		}
		again, err := encode(e.spec, layout{dir: "/run/d"})
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(again)
		if err != nil || !reflect.DeepEqual(back.spec, e.spec) {
			t.Fatalf("%+v came back as %+v, %v", e.spec, back.spec, err)
		}
	})
}
