// Command decenter is the one program: the console and the commands of a constellation, the engine of a satellite, a
// constellation on one machine to play and test with, and accounts' keys. Here is wiring only.
//
//	decenter                 the console of this machine's engine
//	decenter LINE            one line of the grammar (see `decenter help`)
//	decenter engine          the satellite's daemon
//	decenter lab             a constellation on this machine
//	decenter key             accounts' keys: what they are, and what they sign
//
// DECENTER_SOCKET names the engine's socket where it is not /run/decenter/engine.sock, DECENTER_CONFIG the engine's
// configuration where it is not /etc/decenter/engine.toml.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"decenter/engine/api"
	"decenter/engine/rpc"
	"decenter/shell"
	"decenter/shell/keycmd"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = ""

const defaultSocket = "/run/decenter/engine.sock"

// socketEnv names the engine to talk to.
const socketEnv = "DECENTER_SOCKET"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if keycmd.IsAskpass(os.Args, os.Getenv) {
		return keycmd.Askpass(ctx, os.Args[1:], keycmd.OSEnv())
	}
	return shell.Main(ctx, os.Args[1:], shell.Program{
		Name:    "decenter",
		Version: buildVersion(),
		Dial:    func(context.Context) (api.Service, error) { return dial(socket()) },
		Console: func(ctx context.Context, svc api.Service) int { return console(ctx, svc, os.Stdin, os.Stdout) },
		Commands: []shell.Command{
			{Name: "engine", Summary: "the satellite's daemon", Words: words(engineWords), Run: engineCommand},
			{Name: "lab", Summary: "a constellation on this machine", Words: words(labWords), Run: labCommand},
			{Name: "key", Summary: "your account's key: new, words, sign, delegate, revoke, grant, …", Words: words(keyWords), Run: func(ctx context.Context, args []string, _ shell.Streams) int {
				return keycmd.Run(ctx, args, keycmd.OSEnv())
			}},
		},
	}, shell.StdStreams(os.Getenv))
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func socket() string {
	if s := os.Getenv(socketEnv); s != "" {
		return s
	}
	return defaultSocket
}

// dial gives the engine behind a socket, or says how to get one.
func dial(path string) (api.Service, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, &api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("no engine runs here (%s)", path),
			Hint: "start one with `decenter engine`, or name its socket in " + socketEnv}
	}
	return rpc.DialUnix(path), nil
}
