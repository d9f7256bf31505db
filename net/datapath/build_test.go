package datapath

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"decenter/net/frame"
	"decenter/net/link"
)

// The committed object is what bpf/build.sh makes of the committed sources.
func TestObjectIsBuiltFromSource(t *testing.T) {
	for _, tool := range []string{"clang-19", "llvm-strip-19"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the object cannot be built again to compare", tool)
		}
	}
	dir := t.TempDir()
	if out, err := exec.Command("bpf/build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	built, err := os.ReadFile(filepath.Join(dir, "fabric.bpfel.o"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(built, object) {
		t.Fatal("bpf/fabric.bpfel.o is not what its sources make: run go generate ./net/datapath")
	}
	if cwd, err := os.Getwd(); err != nil || bytes.Contains(object, []byte(cwd)) {
		t.Fatalf("the object holds this machine's path: %v", err)
	}
}

// fabric.c repeats numbers of Go; they must be the same.
func TestNumbersAreTheSameInC(t *testing.T) {
	source, err := os.ReadFile("bpf/fabric.c")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{
		"CONTROL_TYPE": frame.EtherType, "CONTROL_VERSION": frame.Version, "ECHO_REQUEST": uint64(frame.TypeEchoRequest),
		"ECHO_REPLY": uint64(frame.TypeEchoReply), "MAX_PORTS": MaxPorts, "MAX_LEARNED": MaxLearned,
		"MAX_FRAME": frame.HeaderLen + link.PortMTU, "MAX_SEGMENT": link.MTU,
	} {
		m := regexp.MustCompile(`#define ` + name + ` (\w+)`).FindSubmatch(source)
		if m == nil {
			t.Errorf("%s is not in fabric.c", name)
			continue
		}
		if got, err := strconv.ParseUint(string(m[1]), 0, 64); err != nil || got != want {
			t.Errorf("%s is %s in C and %#x in Go", name, m[1], want)
		}
	}
	if frame.OffVersion != 14 || frame.OffType != 15 {
		t.Error("struct header has version and kind at 14 and 15")
	}
}
