package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	c, err := Parse(nil, "Rack7.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if want := Default("rack7"); !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if len(c.Trust.Accounts)+len(c.Trust.Owners) != 0 {
		t.Error("somebody may log in by default")
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	want := Default("s1")
	want.Trust.Accounts = []string{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}
	want.Net.Exclude = []string{"wl*"}
	text, err := want.Append()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text, "other")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%s\nbecame %+v", err, text, got)
	}
}

func TestErrorsNameTheLineAndWhatIsRight(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"name = 's1'\nnmae = 's2'", "line 2, column 1: unknown key \"nmae\""},
		{"[ssh]\nlisten = 2222", "line 2, column 10: ssh.listen takes a list of texts in quotes, not TOML's integer"},
		{"[ssh]\nlisten = [2222]", "ssh.listen takes a list"},
		{"[peer]\nport = 'seven'", "line 2, column 8: peer.port takes a whole number, not TOML's string"},
		{"name = 7", "line 1, column 8: name takes text in quotes"},
		{"ssh = 7", "line 1, column 7: ssh takes [ssh] and keys below it"},
		{"name = 'No Name'", "is not a name"},
		{"[peer]\nport = 65535", "use 1 to 65534"},
		{"[virt]\naccel = 'xen'", "use auto, kvm or tcg"},
		{"[trust]\nsatellites = ['abc']", "is not a fingerprint"},
		{"data = 'here'", "is not an absolute path"},
		{"[trust]\naccounts = ['bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5']", "mistyped character"},
		{"[trust]\nowners = ['bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5']", "trust.owners"},
		{"[trust]\nconstellation = 'A long name of ours'", "is not the name of a constellation"},
		{"[trust]\nnetwork = 'simnet'", "use mainnet, testnet or regtest"},
		{"[ssh]\npasted = 'yes'", "use no or read"},
		{"[directory]\nurl = 'ldap://dc1'\nbase='dc=x'\n[directory.groups]\n'cn=a' = 'owner'", "in the clear"},
		{"[directory]\nurl = 'ldaps://dc1'", "directory.base is empty"},
		{"[directory.groups]\n'cn=a' = 'king'", "is no role"},
		{"[net]\npriority = 70000", "use 0 to 65535"},
		{"[ssh]\nlisten = ['2222']", "use ADDRESS:PORT"},
		{"[log]\nlevel = 'loud'\nformat='xml'", "log.format"},
		{"name = ", "line 1"},
	} {
		if _, err := Parse([]byte(c.text), "s1"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestAMissingFileIsFineOnlyAtItsPlace(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml"), "s1"); err == nil {
		t.Error("a named file that is not there was taken for an empty one")
	}
}

func FuzzParse(f *testing.F) {
	text, _ := Default("s1").Append()
	f.Add(text)
	f.Add([]byte("[ssh]\nlisten = ['[::]:22']"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text, "s1")
		if err != nil {
			return
		}
		again, err := c.Append()
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(again, "s1")
		if err != nil || !reflect.DeepEqual(c, d) {
			t.Fatalf("%v: %+v became %+v", err, c, d)
		}
	})
}
