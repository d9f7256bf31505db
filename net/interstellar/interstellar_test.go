package interstellar

import (
	"errors"
	"net"
	"testing"
)

func TestMACOfTheDesign(t *testing.T) {
	id, err := ParseID("A1b2c3d")
	if err != nil {
		t.Fatal(err)
	}
	if got := MAC(id, 0xbeef).String(); got != "a2:1b:2c:3d:be:ef" {
		t.Errorf("MAC is %s", got)
	}
	if id.String() != "a1b2c3d" || ID(1).String() != "0000001" {
		t.Errorf("written as %s and %s", id, ID(1))
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, s := range []string{"", "1", "0a1b2c", "000a1b2c", "+a1b2c3", "a1b_2c3", "g1b2c3d", " a1b2c3"} {
		if id, err := ParseID(s); !errors.Is(err, ErrID) {
			t.Errorf("id %q is %v, %v", s, id, err)
		}
	}
	for _, mac := range []net.HardwareAddr{nil, {0xa2, 1, 2, 3, 4}, {0xa6, 1, 2, 3, 4, 5}, {0xa3, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}} {
		if _, _, err := Parse(mac); !errors.Is(err, ErrMAC) {
			t.Errorf("MAC %v: %v", mac, err)
		}
	}
}

func FuzzThereAndBack(f *testing.F) {
	f.Add(uint32(0), uint16(0))
	f.Add(uint32(0xa1b2c3d), uint16(0xbeef))
	f.Add(uint32(MaxID), uint16(0xffff))
	f.Fuzz(func(t *testing.T, n uint32, nic uint16) {
		id := ID(n) & MaxID
		mac := MAC(id, nic)
		gotID, gotNIC, err := Parse(mac)
		if err != nil || gotID != id || gotNIC != nic {
			t.Errorf("%v %d → %v → %v %d, %v", id, nic, mac, gotID, gotNIC, err)
		}
		if mac[0]&1 != 0 || mac[0]&2 == 0 {
			t.Errorf("%v is not a unicast, locally administered address", mac)
		}
		if again, err := ParseID(id.String()); err != nil || again != id {
			t.Errorf("%v read back is %v, %v", id, again, err)
		}
	})
}
