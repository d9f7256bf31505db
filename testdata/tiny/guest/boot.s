# The boot loader of the guest image `tiny`: from the BIOS to Linux's PVH entry, with no decompressor between.
#
# A distribution's bzImage unpacks itself; under emulation that costs more than the rest of the start. Here the
# uncompressed kernel lies on the disk in runs of whole sectors, and this loader copies them to where the kernel
# was linked to stand, then enters it by the PVH boot protocol (Xen's docs/misc/pvh.pandoc and
# include/public/arch-x86/hvm/start_info.h): 32-bit protected mode, paging off, %ebx = struct hvm_start_info.
#
# Image, as package mk writes it (all numbers little-endian):
#
#	0x0000  boot sector: this code, then at 0x1be the partition table, then 55 aa
#	0x0200  this code, second part
#	0x0c00  the plan:  u32 runs | u32 entry | u32 initrd address | u32 initrd bytes | u32 memory needed | u32 0 × 3
#	0x0c20             runs × { u32 first sector | u32 sectors | u32 address | u32 zero bytes after it }
#	0x1000  kernel command line, ended by 0
#	0x1400  end
#
# Memory while it runs (all below 640 KiB):
#
#	0x7c00  the image above          0x9800  struct hvm_start_info    0x9840  its module list
#	0x9900  memory map, 24-byte entries, at most 60                   0x10000 read buffer, 127 sectors
	.code16
	.set	PLAN,	0x7c00 + 0xc00
	.set	RUNS,	PLAN + 0x20
	.set	CMDLINE,0x7c00 + 0x1000
	.set	INFO,	0x9800
	.set	MODS,	0x9840
	.set	MAP,	0x9900
	.set	MAPMAX,	60
	.set	BUFFER,	0x10000
	.set	CHUNK,	127			# the most sectors an EDD read is sure to take
	.globl	_start
_start:
	cli
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	cld
	movb	%dl, drive
	movw	$packet, %si			# the rest of this loader, behind the boot sector
	movb	$0x42, %ah
	int	$0x13
	movw	$msg_disk, %si
	jc	die
	jmp	second

# die says why on the first serial line and on the screen, and stops.
die:	lodsb
	testb	%al, %al
	jz	2f
	movw	$0x3f8, %dx
	outb	%al, %dx
	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	jmp	die
2:	hlt
	jmp	2b

drive:	.byte	0
msg_disk:.asciz	"tiny: the disk cannot be read\r\n"
	.balign	4
packet:	.byte	16, 0				# EDD-3 disk address packet
count:	.word	9
where:	.word	0x7e00, 0			# offset, segment
sector:	.long	1, 0

	.org	446
	.org	510
	.byte	0x55, 0xaa

second:	inb	$0x92, %al			# A20, should the BIOS have left it shut
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92

	movw	$INFO, %di			# memory holds what it held before a reset
	movw	$128, %cx
	xorw	%ax, %ax
	rep stosw

	# The memory map, by INT 15h E820h. Its 20-byte entries are the first 20 bytes of PVH's 24-byte ones.
	movw	$MAP, %di
	xorl	%ebx, %ebx
map:	movl	$0xe820, %eax
	movl	$20, %ecx
	movl	$0x534d4150, %edx
	movl	$0, 20(%di)
	int	$0x15
	jc	mapped
	# The kernel and the initrd must fit into the run of memory that begins at 1 MiB.
	cmpl	$1, 16(%di)
	jne	next
	cmpl	$0x100000, (%di)
	jne	next
	cmpl	$0, 4(%di)
	jne	next
	movl	8(%di), %eax
	addl	$0x100000, %eax
	jc	fits				# beyond 4 GiB in one run
	cmpl	$0, 12(%di)
	jne	fits
	cmpl	%eax, PLAN + 16
	ja	next
fits:	movb	$1, enough
next:	addw	$24, %di
	incw	INFO + 48
	cmpw	$MAPMAX, INFO + 48
	jae	mapped
	testl	%ebx, %ebx
	jnz	map
mapped:	movw	$msg_memory, %si
	cmpb	$0, enough
	je	die

	movw	$BUFFER >> 4, where + 2
	movw	$0, where
	movw	$RUNS, %bp
run:	decl	PLAN
	js	enter
	movl	(%bp), %eax
	movl	%eax, sector
chunk:	movl	4(%bp), %eax
	testl	%eax, %eax
	jz	clear
	cmpl	$CHUNK, %eax
	jbe	3f
	movl	$CHUNK, %eax
3:	movw	%ax, count
	subl	%eax, 4(%bp)
	movw	$packet, %si
	movb	drive, %dl
	movb	$0x42, %ah
	pushw	%bp
	int	$0x13
	popw	%bp
	movw	$msg_disk, %si
	jc	die
	movzwl	count, %ecx
	addl	%ecx, sector
	shll	$7, %ecx			# in 4-byte words
	movl	$BUFFER, %esi
	movl	8(%bp), %edi
	call	flat
	rep movsl %ds:(%esi), %es:(%edi)
	call	real
	movl	%edi, 8(%bp)
	jmp	chunk
clear:	movl	12(%bp), %ecx
	shrl	$2, %ecx
	movl	8(%bp), %edi
	call	flat
	xorl	%eax, %eax
	rep stosl %eax, %es:(%edi)
	call	real
	addw	$16, %bp
	jmp	run

# flat lets %ds and %es reach all 4 GiB until real is called. Interrupts are off between the two. Both change only %ax.
flat:	cli
	lgdtl	table
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$0x18, $4f
4:	movw	$0x20, %ax
	movw	%ax, %ss
	movw	$0x10, %ax
	movw	%ax, %ds
	movw	%ax, %es
	ret
real:	movw	$0x20, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmp	$0, $5f
5:	xorw	%ax, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movw	%ax, %es
	sti
	ret

enter:	movl	$0x336ec578, INFO		# magic, "xEn3" with the 0x80 bit of the "E" set
	movl	$1, INFO + 4			# version, then flags: 0
	movl	$1, INFO + 12			# modules: the initrd
	movl	$MODS, INFO + 16
	movl	$CMDLINE, INFO + 24		# rsdp 0: the kernel looks for it itself
	movl	$MAP, INFO + 40			# its number of entries, at 48, is counted above
	movl	PLAN + 8, %eax
	movl	%eax, MODS
	movl	PLAN + 12, %eax
	movl	%eax, MODS + 8
	movl	PLAN + 4, %edx
	cli
	lgdtl	table
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$0x08, $6f
	.code32
6:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$INFO, %ebx
	jmp	*%edx
	.code16

enough:	.byte	0
msg_memory:.asciz "tiny: too little memory, give the guest more\r\n"
	.balign	8
gdt:	.quad	0
	.quad	0x00cf9a000000ffff		# 08 code, 32 bit, 4 GiB
	.quad	0x00cf92000000ffff		# 10 data, 4 GiB
	.quad	0x00009a000000ffff		# 18 code, 16 bit, 64 KiB
	.quad	0x000092000000ffff		# 20 data, 64 KiB
table:	.word	table - gdt - 1
	.long	gdt
	.org	0xc00
