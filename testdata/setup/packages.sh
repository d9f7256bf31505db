#!/bin/sh
# packages.sh run|test: installs the Debian packages (12 and 13) that Decenter needs to run, or also to be tested, as far as they are
# missing; through sudo where not root. Takes a few hundredths of a second when nothing is missing.
# No service is started by it, and none that it installs starts at the next boot: in the lab each satellite has a libvirtd of its own.
set -eu

# Building (gcc: the binding of libvirt), guests, images (xz, zstd: kernels and modules), logging in.
run="gcc libc6-dev qemu-system-x86 qemu-utils libvirt-daemon libvirt-daemon-driver-qemu iproute2 openssh-client xz-utils zstd"
# eBPF from its source, reading archives back, a terminal for the console's tests, looking at frames, a directory.
test="clang-19 llvm-19 cpio tmux tcpdump iputils-ping slapd ldap-utils"
# Libraries of wallets, to check signatures with; npm of Debian is hundreds of packages, so not where there is another.
command -v node >/dev/null && command -v npm >/dev/null || test="$test nodejs npm"

case ${1-} in
run) want=$run ;;
test) want="$run $test" ;;
*) echo "use: packages.sh run|test" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "packages.sh: this is no Debian: see that the counterparts of these packages are installed: $want" >&2
	exit 0
fi
here=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $want 2>/dev/null | sed -n 's/ installed$//p' | tr '\n' ' ')
missing=
for p in $want; do
	case " $here" in *" $p "*) ;; *) missing="$missing $p" ;; esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=$(command -v sudo) || { echo "packages.sh: as root, please: apt-get install --no-install-recommends$missing" >&2; exit 1; }
fi
echo "installing:$missing"

# Debian's packages ask policy-rc.d whether they may start a service.
policy=/usr/sbin/policy-rc.d
ours=
tidy() { [ -z "$ours" ] || { $sudo rm -f $policy; ours=; }; }
trap tidy EXIT
trap 'exit 130' INT TERM
if [ ! -e $policy ]; then
	ours=1
	printf '#!/bin/sh\n# while packages.sh of Decenter installs\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod 755 $policy
fi
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null; }
# A list of packages from an earlier day may name files that are gone.
apt update >/dev/null
before=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p' | sort)
apt install --no-install-recommends $missing >/dev/null
tidy

# Units that came with packages which were not here before.
if [ -d /run/systemd/system ]; then
	for p in $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | sort); do
		case "
$before
" in *"
$p
"*) continue ;; esac
		case $p in libvirt* | qemu* | slapd) ;; *) continue ;; esac
		# slapd of Debian 12 has a script of System V alone, which systemd makes a unit of.
		for unit in $(dpkg -L "$p" | sed -n -e 's,.*/systemd/system/\([^/@]*\.\(service\|socket\)\)$,\1,p' -e 's,^/etc/init\.d/,,p'); do
			$sudo systemctl --quiet disable --now "$unit" 2>/dev/null || true
		done
	done
fi
