// Command probe is the one program inside the cluster's own image. As "pause" it holds a pod's
// namespaces open, as every pod needs; the other commands let the contract test look at the
// cluster from inside a pod without any other image.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Every command ends within this time, so that a broken cluster shows as a failed pod.
const patience = 20 * time.Second

func main() {
	if len(os.Args) < 2 {
		fail("usage: probe pause | say TEXT | resolve NAME ADDRESS | dial HOST:PORT | write FILE TEXT")
	}
	switch command, arguments := os.Args[1], os.Args[2:]; command {
	case "pause":
		pause()
	case "say":
		fmt.Println(argument(arguments, 0, "TEXT"))
	case "resolve":
		resolve(argument(arguments, 0, "NAME"), argument(arguments, 1, "ADDRESS"))
	case "dial":
		dial(argument(arguments, 0, "HOST:PORT"))
	case "write":
		write(argument(arguments, 0, "FILE"), argument(arguments, 1, "TEXT"))
	default:
		fail("unknown command " + command)
	}
}

// pause waits for the end of the pod and reaps the orphans that a shared process namespace
// hands to process 1.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}

// resolve succeeds when the cluster's DNS answers NAME with ADDRESS.
func resolve(name, address string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := (&net.Resolver{PreferGo: true}).LookupHost(ctx, name)
	if err != nil {
		fail(err.Error())
	}
	for _, found := range answer {
		if found == address {
			fmt.Println(name, "is", address)
			return
		}
	}
	fail(fmt.Sprintf("%s is %v, expected %s", name, answer, address))
}

// dial succeeds when a TCP connection to the address can be opened.
func dial(address string) {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		fail(err.Error())
	}
	defer connection.Close()
	fmt.Println("connected to", address)
}

// write succeeds when the file can be written and read back.
func write(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fail(err.Error())
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != text {
		fail(fmt.Sprint("read back: ", string(content), err))
	}
	fmt.Println("wrote", path)
}

func argument(arguments []string, index int, name string) string {
	if index >= len(arguments) {
		fail("missing argument " + name)
	}
	return arguments[index]
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "probe:", message)
	os.Exit(1)
}
