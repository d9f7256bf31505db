package libvirt

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"decenter/virt"
)

// TestWithoutTheLibraryOpenSaysSo runs this binary again where the client library cannot be loaded.
func TestWithoutTheLibraryOpenSaysSo(t *testing.T) {
	if os.Getenv("LIBVIRT_TEST_NO_LIBRARY") != "" {
		_, err := Open(Config{URI: "qemu:///system", Dir: t.TempDir(), Log: slog.Default()})
		if !errors.Is(err, virt.ErrUnavailable) || !strings.Contains(err.Error(), "libvirt.so.0") || !strings.Contains(err.Error(), "install libvirt0") {
			t.Errorf("got %v", err)
		}
		return
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "libvirt.so.0"), nil, 0o755); err != nil { // found first, and no library
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWithoutTheLibraryOpenSaysSo$", "-test.v")
	cmd.Env = append(os.Environ(), "LIBVIRT_TEST_NO_LIBRARY=1", "LD_LIBRARY_PATH="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestADirectoryTooDeepForSocketsIsRefused(t *testing.T) {
	_, err := Open(Config{URI: "qemu:///system", Dir: "/tmp/" + strings.Repeat("d", maxDir), Log: slog.Default()})
	is(t, err, virt.ErrInvalid)
}
