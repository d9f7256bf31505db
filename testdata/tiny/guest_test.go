package tiny_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// image is what `go tool task setup` makes.
const image = "../../.build/tiny.qcow2"

// patience is how long one step of a guest may take under emulation on a busy machine.
const patience = 90 * time.Second

// guest is one running QEMU with a throw-away disk over the image.
type guest struct {
	t     *testing.T
	disk  string
	agent string // socket of the guest agent
	qmp   string
	line  io.Writer
	done  chan error // one value: how QEMU ended

	mu   sync.Mutex
	text bytes.Buffer // what came over the serial line
	read int          // so much of it was waited for
}

// boot starts a guest. netdev is QEMU's text for a network whose id is n.
func boot(t *testing.T, netdev, mac string, more ...string) *guest {
	t.Helper()
	if _, err := os.Stat(image); err != nil {
		t.Fatalf("%v: run `go tool task setup`", err)
	}
	base, err := filepath.Abs(image)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g := &guest{t: t, disk: filepath.Join(dir, "disk"), agent: filepath.Join(dir, "agent"), qmp: filepath.Join(dir, "qmp"), done: make(chan error, 1)}
	run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, g.disk)
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{"-machine", "q35,accel=tcg", "-cpu", "max", "-m", "192",
		"-display", "none", "-nodefaults", "-serial", "stdio", "-qmp", "unix:" + g.qmp + ",server=on,wait=off",
		"-drive", "if=none,id=d,format=qcow2,file=" + g.disk, "-device", "virtio-blk-pci,drive=d,bootindex=1",
		"-netdev", netdev, "-device", "virtio-net-pci,netdev=n,romfile=,mac=" + mac,
		"-device", "virtio-serial-pci", "-chardev", "socket,id=a,path=" + g.agent + ",server=on,wait=off",
		"-device", "virtserialport,chardev=a,name=org.qemu.guest_agent.0"}, more...)...)
	if g.line, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = g, g
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		g.done <- c.Wait()
		close(ended)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return g
}

// Write takes what QEMU prints.
func (g *guest) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

// wait waits until the serial line says what the pattern tells, behind what was waited for before.
func (g *guest) wait(pattern string) []string {
	g.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		g.mu.Lock()
		rest := g.text.Bytes()[g.read:]
		if at := re.FindSubmatchIndex(rest); at != nil {
			var found []string
			for i := 0; i < len(at); i += 2 {
				found = append(found, string(rest[at[i]:at[i+1]]))
			}
			g.read += at[1]
			g.mu.Unlock()
			return found
		}
		g.mu.Unlock()
	}
	g.t.Fatalf("the serial line does not say %q in %v, but:\n%s", pattern, patience, g.text.String())
	return nil
}

// do types a command at the console and gives what it prints and its exit code.
func (g *guest) do(command string) (string, string) {
	g.t.Helper()
	// The marks are put together by the guest's shell, so that the echo of the typed line is not taken for them.
	fmt.Fprintf(g.line, "echo be''gin; %s; echo en''d $?\n", command)
	got := g.wait(`(?s)begin\r\n(.*?)end (\d+)\r\n`)
	return strings.TrimSpace(strings.ReplaceAll(got[1], "\r", "")), got[2]
}

// ended waits until QEMU is gone.
func (g *guest) ended() {
	g.t.Helper()
	select {
	case err := <-g.done:
		if err != nil {
			g.t.Fatalf("QEMU: %v\n%s", err, g.text.String())
		}
	case <-time.After(patience):
		g.t.Fatalf("the guest still runs after %v", patience)
	}
}

// ask sends lines to a unix socket and gives the answer's first n lines.
func ask(t *testing.T, socket string, n int, lines ...string) string {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for one := make([]byte, 1); bytes.Count(got.Bytes(), []byte("\n")) < n; {
		if _, err := c.Read(one); err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(one)
	}
	return got.String()
}

// run runs a program and gives what it said.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// runs tells whether a program ends with exit code 0.
func runs(name string, args ...string) bool { return exec.Command(name, args...).Run() == nil }
