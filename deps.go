//go:build deps

// Package decenter holds the versions of modules until their packages come.
package decenter
import (
 _ "charm.land/wish/v2"
 _ "charm.land/wish/v2/bubbletea"
 _ "charm.land/ssh"
 _ "charm.land/bubbletea/v2"
 _ "charm.land/lipgloss/v2"
 _ "charm.land/bubbles/v2/textinput"
 _ "github.com/charmbracelet/colorprofile"
 _ "github.com/alecthomas/participle/v2"
 _ "github.com/agext/levenshtein"
 _ "github.com/btcsuite/btcd/btcec/v2"
 _ "github.com/btcsuite/btcd/txscript"
 _ "github.com/btcsuite/btcd/btcutil"
 _ "libvirt.org/go/libvirt"
 _ "libvirt.org/go/libvirtxml"
 _ "github.com/cilium/ebpf"
 _ "github.com/hashicorp/serf/serf"
 _ "github.com/vishvananda/netlink"
 _ "connectrpc.com/connect"
 _ "go.etcd.io/bbolt"
 _ "github.com/pelletier/go-toml/v2"
 _ "github.com/prometheus/client_golang/prometheus/promhttp"
 _ "filippo.io/age"
 _ "github.com/rogpeppe/go-internal/testscript"
 _ "pgregory.net/rapid"
 _ "github.com/charmbracelet/x/exp/teatest/v2"
)
