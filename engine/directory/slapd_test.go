package directory

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"decenter/engine/api"
)

// slapd is OpenLDAP's server of the system's package, as a process of the test, on loopback, with a folder of its own.
type slapd struct {
	dir         string
	plain, tls  string // host:port
	authorities string // file of the CA that signed its certificate
	cmd         *exec.Cmd
	log         *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	rootDN = "cn=root,dc=example,dc=org"
	gateDN = "cn=gate,dc=example,dc=org"

	alice    = "bc1qalice" // an operator and a reader
	bob      = "bc1qbob"   // a reader
	carol    = "bc1qcarol" // in no group with a role
	twin     = "bc1qtwin"  // two entries
	base58   = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
	mallory  = "bc1qmallory" // no entry
	operator = "cn=operators,ou=groups,dc=example,dc=org"
	reader   = "cn=readers,ou=groups,dc=example,dc=org"
)

const content = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=gate,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: gate
userPassword: let me in

dn: cn=alice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: alice
sn: Alice
uid: bc1qalice

dn: cn=bob \28the (first)\29,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: bob (the (first))
sn: Bob
uid: bc1qbob

dn: cn=carol,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: carol
sn: Carol
uid: bc1qcarol

dn: cn=boat,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: boat
sn: Boat
uid: 1BoatSLRHtKNngkdXEeobR76b53LETtpyT

dn: cn=twin one,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: twin one
sn: Twin
uid: bc1qtwin

dn: cn=twin two,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: twin two
sn: Twin
uid: bc1qtwin

dn: cn=operators,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: operators
member: cn=alice,ou=people,dc=example,dc=org
member: cn=twin one,ou=people,dc=example,dc=org

dn: cn=readers,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: readers
member: cn=alice,ou=people,dc=example,dc=org
member: cn=bob \28the (first)\29,ou=people,dc=example,dc=org
member: cn=boat,ou=people,dc=example,dc=org

dn: cn=chess,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: chess
member: cn=carol,ou=people,dc=example,dc=org
`

// startSlapd starts a directory with the content above. It takes passwords over TLS alone.
func startSlapd(t testing.TB) *slapd {
	t.Helper()
	for _, tool := range []string{"slapd", "ldapadd", "ldapmodify"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: testdata/setup/packages.sh test installs slapd and ldap-utils", tool)
		}
	}
	s := &slapd{dir: t.TempDir(), plain: freePort(t), tls: freePort(t)}
	s.authorities = filepath.Join(s.dir, "ca.pem")
	makeCertificates(t, s.dir)
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("DIR", s.dir).Replace(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile DIR/pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server.key
security simple_bind=128
idletimeout 2
database mdb
suffix "dc=example,dc=org"
rootdn "` + rootDN + `"
rootpw secret
directory DIR/db
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="` + gateDN + `" read by * none
`)
	write(t, filepath.Join(s.dir, "slapd.conf"), conf)
	write(t, filepath.Join(s.dir, "password"), "let me in\n")
	s.start(t)
	s.modify(t, "ldapadd", content)
	return s
}

func (s *slapd) start(t testing.TB) {
	t.Helper()
	s.log = &lockedBuffer{}
	s.cmd = exec.Command("slapd", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", "ldap://"+s.plain+" ldaps://"+s.tls, "-d", "256")
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd := s.cmd
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", s.tls); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("slapd does not start: ", s.log)
		}
	}
}

func (s *slapd) kill() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() }

// stop lets no thread of it run until the function that it gives is called.
func (s *slapd) stop(t *testing.T) (goOn func()) {
	t.Helper()
	goOn = sync.OnceFunc(func() { _ = s.cmd.Process.Signal(syscall.SIGCONT) })
	t.Cleanup(goOn)
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		running := len(stats) == 0
		for _, name := range stats {
			text, _ := os.ReadFile(name)
			running = running || !bytes.Contains(text, []byte(") T "))
		}
		if !running {
			return goOn
		}
		if time.Now().After(deadline) {
			t.Fatal("slapd does not stop")
		}
	}
}

// saw counts a text in the directory's log once it is there n times or, which takes a while, is not.
func (s *slapd) saw(text string, n int) int {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Count(s.log.String(), text) >= n {
			break
		}
	}
	return strings.Count(s.log.String(), text)
}

// modify runs ldapadd or ldapmodify, OpenLDAP's own clients.
func (s *slapd) modify(t testing.TB, tool, ldif string) {
	t.Helper()
	cmd := exec.Command(tool, "-x", "-H", "ldaps://"+s.tls, "-D", rootDN, "-w", "secret")
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+s.authorities)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", tool, err, out, s.log)
	}
}

func (s *slapd) config(c *clock) Config {
	return Config{URL: "ldaps://" + s.tls, CAFile: s.authorities, BindDN: gateDN, PasswordFile: filepath.Join(s.dir, "password"),
		Base: "dc=example,dc=org", AccountAttribute: "uid", Timeout: 10 * time.Second, Now: c.now,
		// Spelled in another way than the directory spells them.
		Groups: map[string]api.Role{"CN=Operators, OU=groups,DC=example,DC=org": api.RoleOperator, reader: api.RoleReader},
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func gate(t testing.TB, c Config) *Gate {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// clock is a hand-set clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// makeCertificates makes ca.pem, and server.pem with its key for 127.0.0.1 alone; other.pem is an authority that signed nothing.
func makeCertificates(t testing.TB, dir string) {
	t.Helper()
	ca, caKey := certificate(t, filepath.Join(dir, "ca.pem"), nil, nil)
	certificate(t, filepath.Join(dir, "other.pem"), nil, nil)
	_, key := certificate(t, filepath.Join(dir, "server.pem"), ca, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "server.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func certificate(t testing.TB, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: filepath.Base(name)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	if parent == nil {
		parent, parentKey = template, key
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

func member(change, group, who string) string {
	return fmt.Sprintf("dn: %s\nchangetype: modify\n%s: member\nmember: %s\n", group, change, who)
}
