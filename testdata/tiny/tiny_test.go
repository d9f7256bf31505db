// Package tiny_test starts the guest image and tries everything that the other tests expect of it.
package tiny_test

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const blocksTool = "../../.build/tiny/blocks"

// A guest with a DHCP server, a name from its host, an agent and a power button.
func TestGuestOnItsOwn(t *testing.T) {
	port := freePort(t)
	start := time.Now()
	g := boot(t, fmt.Sprintf("user,id=n,hostfwd=tcp:127.0.0.1:%d-:80", port), "52:54:00:00:00:01",
		"-fw_cfg", "name=opt/decenter/hostname,string=web-1")

	up := g.wait(`DECENTER-GUEST-UP ([0-9.]+) (\S+) (\S+)\r?\n`)
	t.Logf("start to DECENTER-GUEST-UP: %.1f s, of which the kernel saw %s s", time.Since(start).Seconds(), up[1])
	if up[2] != "52:54:00:00:00:01" || !strings.Contains(up[3], "10.0.2.15") {
		t.Errorf("the guest is up as %q with %q", up[2], up[3])
	}

	// The console is a shell with job control: a job in the foreground ends by ^C, not the shell.
	if got, code := g.do("hostname"); got != "web-1" || code != "0" {
		t.Errorf("hostname: %q, exit code %s", got, code)
	}
	fmt.Fprint(g.line, "sleep 1000\n")
	g.wait(`sleep 1000`)
	time.Sleep(500 * time.Millisecond)
	fmt.Fprint(g.line, "\x03")
	if _, code := g.do("false"); code != "1" {
		t.Errorf("false after ^C: exit code %s", code)
	}

	page := get(t, fmt.Sprintf("http://127.0.0.1:%d/", port))
	for _, want := range []string{`(?m)^host web-1$`, `(?m)^address 10\.0\.2\.15/24$`, `(?m)^address fe80::`, `(?m)^uptime [0-9.]+$`} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}

	if got := ask(t, g.agent, 1, `{"execute":"guest-ping"}`); !strings.Contains(got, `"return"`) {
		t.Errorf("the agent answers a ping with %s", got)
	}
	if got := ask(t, g.agent, 1, `{"execute":"guest-network-get-interfaces"}`); !strings.Contains(got, "10.0.2.15") {
		t.Errorf("the agent tells the addresses %s", got)
	}

	// Numbered blocks, then the power button, as a host presses it.
	if got, code := g.do("blocks write /dev/vda2 0 200"); code != "0" || !strings.Contains(got, "wrote last=199") {
		t.Errorf("blocks: %s, exit code %s", got, code)
	}
	offset, _ := g.do("cat /sys/class/block/vda2/start")
	ask(t, g.qmp, 3, `{"execute":"qmp_capabilities"}`, `{"execute":"system_powerdown"}`)
	g.ended()

	// The host reads the disk and finds all of them.
	raw := filepath.Join(t.TempDir(), "raw")
	run(t, "qemu-img", "convert", "-O", "raw", g.disk, raw)
	said := run(t, blocksTool, "check", "-o", fmt.Sprint(512*atoi(t, offset)), raw, "200")
	if !strings.Contains(said, "blocks whole first=0 last=199") {
		t.Errorf("the disk holds: %s", said)
	}
}

// Two guests without a DHCP server, whose cards lead to the same first link-local address: the second one notices and
// takes its next one; they reach each other; the agent switches one off.
func TestGuestsWithoutDHCP(t *testing.T) {
	first, second := twins(t)
	wire := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	a := boot(t, "socket,id=n,listen="+wire, first)
	upA := a.wait(`DECENTER-GUEST-UP (\S+) (\S+) (\S+)\r?\n`)
	if want := linkLocal(first, 0); !strings.Contains(upA[3], want) {
		t.Fatalf("the first guest has %s instead of %s", upA[3], want)
	}
	b := boot(t, "socket,id=n,connect="+wire, second, "-smbios", "type=1,serial=ds=nocloud;h=web-2")
	upB := b.wait(`DECENTER-GUEST-UP (\S+) (\S+) (\S+)\r?\n`)
	if want := linkLocal(second, 1); !strings.Contains(upB[3], want) {
		t.Fatalf("the second guest has %s instead of its second choice %s", upB[3], want)
	}
	t.Logf("the kernel of the first saw %s s until up, that of the second %s s", upA[1], upB[1])
	if got, _ := b.do("hostname"); got != "web-2" {
		t.Errorf("the name given by SMBIOS is %q", got)
	}
	if got, _ := a.do("hostname"); got != "tiny" {
		t.Errorf("the name given by nobody is %q", got)
	}
	if got, code := b.do("ping -c 3 -i 0.2 " + linkLocal(first, 0)); code != "0" {
		t.Errorf("ping: %s", got)
	}
	if got, code := b.do("wget -q -O - http://" + linkLocal(first, 0)); code != "0" || !strings.Contains(got, "host tiny") {
		t.Errorf("the first guest's page: %s", got)
	}
	shutdown(t, b)
	shutdown(t, a)
}

// shutdown asks the guest agent, which gives no answer to that.
func shutdown(t *testing.T, g *guest) {
	t.Helper()
	c, err := net.Dial("unix", g.agent)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, `{"execute":"guest-shutdown"}`)
	g.ended()
}

// blocks finds a lost, a torn and a doubled block.
func TestBlocksAreChecked(t *testing.T) {
	write := func(t *testing.T, size int64, count string) string {
		file := filepath.Join(t.TempDir(), "area")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, size); err != nil {
			t.Fatal(err)
		}
		run(t, blocksTool, "write", file, "0", count)
		return file
	}
	harm := func(t *testing.T, file string, at int64, p []byte) {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(p, at); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(file string, least string) bool { return runs(blocksTool, "check", file, least) }

	file := write(t, 100*512, "60")
	if !whole(file, "60") {
		t.Error("60 written blocks are not found whole")
	}
	if whole(file, "61") {
		t.Error("a 61st acknowledged block is not missed")
	}
	run(t, blocksTool, "write", file, "0", "60")
	if !whole(file, "120") {
		t.Error("the count did not go on, or not around the end of the area")
	}
	for name, h := range map[string]struct {
		at int64
		p  []byte
	}{
		"lost":    {30 * 512, make([]byte, 512)},
		"torn":    {30*512 + 300, []byte("torn")},
		"doubled": {30 * 512, nil},
	} {
		file := write(t, 100*512, "60")
		if h.p == nil {
			all, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h.p = all[29*512 : 30*512]
		}
		harm(t, file, h.at, h.p)
		if whole(file, "60") {
			t.Errorf("a %s block is not noticed", name)
		}
	}
}

// twins gives two MACs with the same first link-local address and different second ones.
func twins(t *testing.T) (string, string) {
	seen := map[string]string{}
	for i := range 1 << 14 {
		mac := fmt.Sprintf("52:54:00:00:%02x:%02x", i>>8, i&255)
		if other, ok := seen[linkLocal(mac, 0)]; ok && linkLocal(other, 1) != linkLocal(mac, 1) {
			return other, mac
		}
		seen[linkLocal(mac, 0)] = mac
	}
	t.Fatal("no two cards with the same first address")
	return "", ""
}

// linkLocal is the candidate number try of a card, as guest/root/sbin/linklocal reckons it.
func linkLocal(mac string, try int) string {
	h := md5.Sum(fmt.Appendf(nil, "%s %d\n", mac, try))
	return fmt.Sprintf("169.254.%d.%d", binary.BigEndian.Uint16(h[:])%254+1, h[2])
}

func get(t *testing.T, url string) string {
	t.Helper()
	c := http.Client{Timeout: patience}
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}
