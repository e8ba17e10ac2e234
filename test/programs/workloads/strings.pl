# Builds, joins, splits and drops a lot of strings and hashes. Prints checksums.
use strict;
use warnings;

my $state = 1;
sub next_random { return $state = ($state * 1103515245 + 12345) % 2147483648 }

my (%words, @lists);
for my $i (1 .. 200_000) {
  my $word = join '', map { chr(97 + (next_random() >> 8) % 6) } 1 .. 1 + $i % 9;
  $words{$word}{count}++;
  push @{ $words{$word}{seen} }, $i if $i % 3 == 0;
  delete $words{$word} if $i % 17 == 0;
}
print scalar(keys %words), " words\n";
my @top = sort { $words{$b}{count} <=> $words{$a}{count} || $a cmp $b } keys %words;
print "$_ $words{$_}{count} ", scalar(@{ $words{$_}{seen} || [] }), "\n" for @top[0 .. 20];

my $long = '';
for my $i (1 .. 300_000) { $long .= $i . ',' }
my @fields = split /,/, $long;
my $sum = 0;
$sum += $_ for @fields;
print length($long), ' ', scalar(@fields), " $sum\n";

(my $changed = $long) =~ s/(\d)(\d)/$2$1/g;
print unpack('%32C*', $changed), "\n";

for my $round (1 .. 30) {
  $lists[$round % 7] = [ map { 'x' x ((next_random() >> 8) % 500) } 1 .. 5000 ];
}
my $bytes = 0;
$bytes += length for map { @$_ } grep { defined } @lists;
print "$bytes\n";

sub tree { my $depth = shift; return $depth ? [ tree($depth - 1), tree($depth - 1), $depth ] : undef }
sub weight { my $node = shift; return $node ? $node->[2] + weight($node->[0]) + weight($node->[1]) : 0 }
print weight(tree(15)), "\n" for 1 .. 3;
