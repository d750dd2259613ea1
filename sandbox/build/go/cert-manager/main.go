// cert-manager's four programs in one binary, the first argument names which: controller, webhook,
// cainjector or startupapicheck. Upstream's own main packages are nested modules that the Go proxy
// does not hold; these mains start the same packages with the flags that the chart passes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

var programs = map[string]func(context.Context, []string) error{
	"controller":      controllerMain,
	"webhook":         webhookMain,
	"cainjector":      cainjectorMain,
	"startupapicheck": startupAPICheckMain,
}

func main() {
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: cert-manager controller|webhook|cainjector|startupapicheck [flags]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := klog.Background().WithName(os.Args[1])
	ctrl.SetLogger(log)
	if err := programs[os.Args[1]](klog.NewContext(ctx, log), os.Args[2:]); err != nil {
		log.Error(err, "stopped")
		os.Exit(1)
	}
}

// newFlags holds what every program of the chart is given. An unknown flag is an error, so that no
// setting of the chart is lost without a word. There is one replica of each: no leader is elected.
func newFlags(name string) *pflag.FlagSet {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.AddGoFlag(verbosity())
	// The chart gives startupapicheck a bare -v.
	flags.Lookup("v").NoOptDefVal = "1"
	flags.String("leader-election-namespace", "", "unused: one replica")
	flags.Duration("leader-election-lease-duration", 0, "unused: one replica")
	flags.Duration("leader-election-renew-deadline", 0, "unused: one replica")
	flags.Duration("leader-election-retry-period", 0, "unused: one replica")
	utilfeature.DefaultMutableFeatureGate.AddFlag(flags)
	return flags
}

// verbosity is klog's own -v.
func verbosity() *flag.Flag {
	set := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(set)
	return set.Lookup("v")
}

// startupAPICheckMain waits until the API admits and rejects certificate requests as it should.
func startupAPICheckMain(ctx context.Context, args []string) error {
	flags := newFlags("startupapicheck")
	wait := flags.Duration("wait", 0, "how long to wait")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	checker, err := cmapichecker.New(config, os.Getenv("POD_NAMESPACE"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, max(*wait, time.Second))
	defer cancel()
	for {
		err := checker.Check(ctx)
		if err == nil {
			fmt.Println("The cert-manager API is ready")
			return nil
		}
		fmt.Println("Not ready:", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}
