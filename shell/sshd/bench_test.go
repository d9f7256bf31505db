package sshd

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// logins is how many times each way is measured; the first ones only warm up.
const logins, warmUp = 200, 10

// figure is one line of BenchmarkLogins.
type figure struct {
	Way  string  `json:"way"`
	N    int     `json:"n"`
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
	CPUs int     `json:"cpus"`
	SSH  string  `json:"ssh"`
}

// BenchmarkLogins measures the stock OpenSSH client on the loopback from its start to its end, with one command that prints
// the caller: with a question that an askpass program answers (another process of ours, which signs), with a certificate, and
// as a further session of one connection. Beside them are what the client costs where nothing is done, and what a login
// costs without its process. Figures are printed as JSON lines.
func BenchmarkLogins(b *testing.B) {
	text, _ := exec.Command("ssh", "-V").CombinedOutput()
	version, _, _ := strings.Cut(string(text), ",")
	w := newWorld(b, func(c *Config) { c.Log = nil })
	u := newUser(b, w)
	report := func(way string, once func()) {
		took := make([]float64, 0, logins)
		for i := range warmUp + logins {
			began := time.Now()
			once()
			if i >= warmUp {
				took = append(took, float64(time.Since(began).Microseconds())/1000)
			}
		}
		slices.Sort(took)
		line, _ := json.Marshal(figure{way, logins, percentile(took, 50), percentile(took, 99), took[len(took)-1], runtime.NumCPU(), version})
		fmt.Println(string(line))
	}
	run := func(c *exec.Cmd) {
		if out, errOut, code := run1(c); code != 0 || out != u.account+" ssh\n" {
			b.Fatalf("exit %d, %q", code, errOut)
		}
	}
	report("ssh -V", func() { _, _, _ = run1(u.command("ssh", "-V")) })
	report("keyboard-interactive", func() { run(u.ssh(u.account, "id_ed25519", "whoami")) })
	h := holder{u.secret.Secret, u.secret.Account, newSigner(b)}
	report("keyboard-interactive, in process", func() {
		client := w.mustLogin(h)
		if out, _, _ := output(b, client, "whoami"); out == "" {
			b.Fatal("no answer")
		}
		_ = client.Close()
	})
	u.delegate("id_ed25519")
	batch := []string{"-oBatchMode=yes"}
	report("certificate", func() { run(u.ssh(u.account, "id_ed25519", append(batch, "whoami")...)) })

	share := append(batch, "-oControlPath="+filepath.Join(u.home, "c"))
	master := u.ssh(u.account, "id_ed25519", append(share, "-oControlMaster=yes", "-N")...)
	if err := master.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = master.Process.Kill(); _ = master.Wait() }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", filepath.Join(u.home, "c")); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("no shared connection")
		}
	}
	report("multiplexed", func() { run(u.ssh(u.account, "", append(share, "whoami")...)) })
}

// percentile is by the nearest rank.
func percentile(sorted []float64, p int) float64 {
	return sorted[max(0, int(math.Ceil(float64(p)/100*float64(len(sorted))))-1)]
}
