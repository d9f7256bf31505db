package guard_test

import (
	"fmt"
	"strings"
	"testing"
)

// Who may import whom among ourselves. The first entry whose folders hold the importing package decides; it may import
// what it names, and its own folder. Tests may import anything but cmd.
var directions = []struct {
	who string
	may []string
	why string
}{
	{"cmd", []string{"engine", "keys", "net", "shell", "tui", "virt", "zfs"}, "wiring only, but of everything"},
	{"shell", []string{"engine/api", "keys", "tui"}, "speaks the api, opens the console, checks signatures"},
	{"tui", []string{"engine/api"}, "pure over the api"},
	{"engine/api", nil, "plain types"},
	{"engine/lab", []string{"engine", "keys", "net", "virt", "zfs"}, "wires satellites on one machine"},
	{"engine", []string{"keys", "net", "virt", "zfs"}, "composes cores and adapters"},
	{"net/frame", nil, "a core"},
	{"net/interstellar", []string{"net/frame"}, "a core"},
	{"net/path", []string{"net/frame"}, "a core"},
	{"net/rstp", []string{"net/frame"}, "a core"},
	{"net/flow", []string{"net/frame"}, "a core"},
	{"net/plane", []string{"net/flow", "net/frame", "net/path", "net/rstp"}, "a core"},
	{"net/tree", []string{"net/frame", "net/interstellar", "net/path", "net/rstp"}, "a core"},
	{"net/arpless", []string{"net/frame", "net/interstellar"}, "a core"},
	{"net/dhcp", []string{"net/frame", "net/interstellar"}, "a core"},
	{"net", []string{"net"}, "adapters import cores of their domain"},
	{"virt", []string{"virt"}, "a core and its adapters"},
	{"zfs", []string{"zfs"}, "a core and its adapters"},
	{"keys", nil, "a core"},
	{"testdata", []string{"cmd", "engine", "keys", "net", "shell", "tui", "virt", "zfs"}, "tests and tools"},
}

// Modules of others that one place alone may import, so that exchanging one is a change of one folder.
var soleImporters = map[string][]string{
	"github.com/cilium/ebpf":            {"net/datapath"},
	"libvirt.org/go":                    {"virt/libvirt"},
	"github.com/vishvananda/netlink":    {"net/link", "net/datapath", "engine/lab"},
	"github.com/btcsuite":               {"keys"},
	"filippo.io/age":                    {"keys"},
	"github.com/tyler-smith/go-bip39":   {"keys/words"},
	"github.com/go-ldap":                {"engine/directory"},
	"github.com/alecthomas/participle":  {"shell/grammar"},
	"charm.land/wish":                   {"shell/sshd"},
	"charm.land/ssh":                    {"shell/sshd"},
	"charm.land/bubbletea":              {"tui", "shell", "cmd"},
	"charm.land/bubbles":                {"tui"},
	"charm.land/lipgloss":               {"tui", "shell"},
	"github.com/hashicorp/serf":         {"engine/radar"},
	"github.com/hashicorp/memberlist":   {"engine/radar"},
	"go.etcd.io/bbolt":                  {"engine"},
	"connectrpc.com":                    {"engine/rpc"},
	"github.com/pelletier/go-toml":      {"engine/config", "engine/lab"},
	"github.com/prometheus":             {"engine"},
	"github.com/mistifyio/go-zfs":       {"zfs"},
	"github.com/rogpeppe/go-internal":   {"testdata", "cmd", "engine", "shell", "tui"},
	"pgregory.net/rapid":                {"testdata", "engine", "keys", "net", "shell", "tui", "virt", "zfs"},
	"github.com/charmbracelet/x/exp/te": {"tui", "shell"},
}

// Cores: their own domain and the standard library, with the exceptions named.
var cores = map[string][]string{
	"engine/api":       nil,
	"engine/authz":     nil,
	"keys":             {"github.com/btcsuite", "filippo.io/age", "github.com/tyler-smith/go-bip39"},
	"net/frame":        nil,
	"net/flow":         nil,
	"net/path":         nil,
	"net/plane":        nil,
	"net/rstp":         nil,
	"net/tree":         nil,
	"net/interstellar": nil,
	"net/arpless":      nil,
	"net/dhcp":         nil,
	"zfs/plan":         nil,
}

// Folders that are no cores although they lie below one.
var notCores = []string{"engine/api/apitest", "net/tree/sim"}

// onlyForTests are packages that production code never imports, and who may all the same.
var onlyForTests = map[string][]string{
	"engine/sim":         nil,
	"net/plane":          {"engine/sim"},
	"net/rstp/legacy":    {"engine/sim"},
	"net/tree/sim":       nil,
	"engine/api/apitest": nil,
	"engine/lab":         {"cmd"},
}

// Folders that the house is made of.
var folders = []string{"cmd", "engine", "keys", "net", "shell", "testdata", "tui", "virt", "zfs"}

// wrongImports gives one line for each import that the house forbids.
func wrongImports(files []file) []string {
	var wrong []string
	bad := func(f file, format string, args ...any) {
		wrong = append(wrong, f.name+" "+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		if f.folder == "net" {
			bad(f, "lies in net itself, where a package would shadow the standard library's")
		}
		if f.folder != "." && !within(f.folder, folders...) {
			bad(f, "lies outside the folders of the house")
		}
		for _, i := range f.imports {
			own, ours := strings.CutPrefix(i, module+"/")
			if ours {
				checkOwn(f, own, bad)
				continue
			}
			for name, who := range soleImporters {
				if strings.HasPrefix(i, name) && f.folder != "." && !within(f.folder, who...) {
					bad(f, "imports %s, which only %s may", i, strings.Join(who, ", "))
				}
			}
			first, _, _ := strings.Cut(i, "/")
			if core := coreOf(f); core != "" && !f.test && strings.Contains(first, ".") && !within(i, cores[core]...) {
				bad(f, "imports %s, but a core needs the standard library alone", i)
			}
		}
	}
	return wrong
}

// coreOf gives the core that a file belongs to.
func coreOf(f file) string {
	if within(f.folder, notCores...) {
		return ""
	}
	for core := range cores {
		if within(f.folder, core) {
			return core
		}
	}
	return ""
}

// checkOwn judges the import of one of our packages.
func checkOwn(f file, own string, bad func(file, string, ...any)) {
	if within(own, "cmd") && !within(f.folder, "cmd") {
		bad(f, "imports %s, which nobody may", own)
		return
	}
	if f.test {
		return
	}
	for name, may := range onlyForTests {
		if within(own, name) && !within(f.folder, name) && !within(f.folder, may...) && !within(f.folder, "testdata") {
			bad(f, "imports %s, which is for tests", own)
		}
	}
	for _, d := range directions {
		if within(f.folder, d.who) {
			if !within(own, d.may...) && !within(own, d.who) {
				bad(f, "imports %s, but %s (%s) may import only [%s] of the house", own, d.who, d.why, strings.Join(d.may, " "))
			}
			return
		}
	}
}

func TestImportsPointInward(t *testing.T) {
	for _, w := range wrongImports(house(t)) {
		t.Error(w)
	}
}

func TestWrongImportsAreSeen(t *testing.T) {
	for want, archive := range map[string]string{
		"net/socket.go lies in net itself":                     "-- net/socket.go --\npackage net\n",
		"utils/a.go lies outside the folders":                  "-- utils/a.go --\npackage utils\n",
		"tui/a.go imports engine/radar":                        "-- tui/a.go --\npackage tui\nimport _ \"decenter/engine/radar\"\n",
		"tui/a.go imports shell":                               "-- tui/a.go --\npackage tui\nimport _ \"decenter/shell\"\n",
		"shell/a.go imports engine,":                           "-- shell/a.go --\npackage shell\nimport _ \"decenter/engine\"\n",
		"engine/a.go imports tui":                              "-- engine/a.go --\npackage engine\nimport _ \"decenter/tui\"\n",
		"engine/api/a.go imports engine/jobs":                  "-- engine/api/a.go --\npackage api\nimport _ \"decenter/engine/jobs\"\n",
		"net/link/a.go imports engine/api":                     "-- net/link/a.go --\npackage link\nimport _ \"decenter/engine/api\"\n",
		"net/frame/a.go imports net/tree":                      "-- net/frame/a.go --\npackage frame\nimport _ \"decenter/net/tree\"\n",
		"virt/a.go imports zfs":                                "-- virt/a.go --\npackage virt\nimport _ \"decenter/zfs\"\n",
		"keys/a.go imports engine/cmd, ":                       "-- keys/a.go --\npackage keys\nimport _ \"decenter/engine/cmd\"\n",
		"engine/a_test.go imports cmd/decenter":                "-- engine/a_test.go --\npackage engine\nimport _ \"decenter/cmd/decenter\"\n",
		"engine/a.go imports engine/sim, which is for tests":   "-- engine/a.go --\npackage engine\nimport _ \"decenter/engine/sim\"\n",
		"engine/a.go imports engine/lab, which is for tests":   "-- engine/a.go --\npackage engine\nimport _ \"decenter/engine/lab\"\n",
		"net/link/a.go imports github.com/cilium/ebpf/link":    "-- net/link/a.go --\npackage link\nimport _ \"github.com/cilium/ebpf/link\"\n",
		"engine/a_test.go imports libvirt.org/go/libvirt":      "-- engine/a_test.go --\npackage engine\nimport _ \"libvirt.org/go/libvirt\"\n",
		"net/tree/a.go imports go.uber.org/zap, but a core":    "-- net/tree/a.go --\npackage tree\nimport _ \"go.uber.org/zap\"\n",
		"keys/a.go imports golang.org/x/crypto/ssh, but a cor": "-- keys/a.go --\npackage keys\nimport _ \"golang.org/x/crypto/ssh\"\n",
	} {
		wrong := strings.Join(wrongImports(example(t, archive)), "\n")
		if !strings.Contains(wrong, want) {
			t.Errorf("%q is not said, but %q", want, wrong)
		}
	}
	fine := "-- engine/a_test.go --\npackage engine\nimport _ \"decenter/engine/lab\"\n" +
		"-- cmd/decenter/a.go --\npackage main\nimport _ \"decenter/engine/lab\"\n" +
		"-- keys/a.go --\npackage keys\nimport _ \"github.com/btcsuite/btcd/btcec/v2\"\n" +
		"-- engine/jobs/a.go --\npackage jobs\nimport (_ \"decenter/engine/api\"; _ \"decenter/virt\"; _ \"go.etcd.io/bbolt\")\n"
	if wrong := wrongImports(example(t, fine)); len(wrong) > 0 {
		t.Errorf("what is allowed is flagged: %q", wrong)
	}
}
