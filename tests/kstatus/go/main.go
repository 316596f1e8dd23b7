// Reads a JSON list of objects from standard input and prints, as a JSON list in the same order, what GitOps tools make
// of each: the status that kstatus computes (Flux, kapp and others wait on it), and the health that an Argo CD script
// finds. A script is given as the only argument; without one, only kstatus is asked.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type reading struct {
	Kstatus       string `json:"kstatus"`
	Message       string `json:"message"`
	Health        string `json:"health,omitempty"`
	HealthMessage string `json:"healthMessage,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	script := ""
	if len(arguments) > 0 {
		text, err := os.ReadFile(arguments[0])
		if err != nil {
			return err
		}
		script = string(text)
	}
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return fmt.Errorf("standard input is no JSON list of objects: %w", err)
	}
	readings := make([]reading, 0, len(objects))
	for _, object := range objects {
		read, err := readObject(object, script)
		if err != nil {
			return err
		}
		readings = append(readings, read)
	}
	return json.NewEncoder(os.Stdout).Encode(readings)
}

func readObject(object map[string]any, script string) (reading, error) {
	// kstatus wants whole numbers as int64, as the API machinery decodes them.
	text, err := json.Marshal(object)
	if err != nil {
		return reading{}, err
	}
	decoded := &unstructured.Unstructured{}
	if err := decoded.UnmarshalJSON(text); err != nil {
		return reading{}, err
	}
	computed, err := status.Compute(decoded)
	if err != nil {
		return reading{}, err
	}
	read := reading{Kstatus: string(computed.Status), Message: computed.Message}
	if script != "" {
		read.Health, read.HealthMessage, err = health(decoded.Object, script)
	}
	return read, err
}

// health runs the script as Argo CD does: the object is the global `obj`, only the base, table, string and math
// libraries are there, and the script returns a table with `status` and `message`.
func health(object map[string]any, script string) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName:   lua.OpenBase,
		lua.TabLibName:    lua.OpenTable,
		lua.StringLibName: lua.OpenString,
		lua.MathLibName:   lua.OpenMath,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message")), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case int64:
		return lua.LNumber(known)
	case float64:
		return lua.LNumber(known)
	case []any:
		table := state.NewTable()
		for _, entry := range known {
			table.Append(toLua(state, entry))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, entry := range known {
			table.RawSetString(name, toLua(state, entry))
		}
		return table
	default:
		return lua.LString(fmt.Sprint(known))
	}
}
